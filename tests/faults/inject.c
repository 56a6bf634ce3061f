/* Fails or kills at the n-th write operation below a folder. Loaded with LD_PRELOAD.

   INJECT_FOLDER   operations on paths below this folder are counted
   INJECT_COUNTER  a file of 8 bytes: the count, shared by all processes
   INJECT_AT       which operation fails; 0 only counts
   INJECT_CODE     errno of the failure; 0 kills the process instead, after half of the bytes of a write
   INJECT_LASTING  1: all later operations fail too, as on a full or read-only disk; files can be removed
                   from a full disk
   INJECT_LOG      a file to which each operation is appended as a line: its name, and its path */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

static char folder[PATH_MAX];
static long *counter, at;
static int code, lasting, log_to = -1;

static long number(const char *name) {
    const char *value = getenv(name);
    return value ? atol(value) : 0;
}

static int raw_open(const char *path, int flags) {
    return path ? (int)syscall(SYS_openat, AT_FDCWD, path, flags | O_CLOEXEC, 0600) : -1;
}

/* Reads the environment; called again in a forked process whose environment has changed. */
__attribute__((constructor)) void inject_arm(void) {
    const char *below = getenv("INJECT_FOLDER");
    int file = raw_open(getenv("INJECT_COUNTER"), O_RDWR);
    counter = NULL;
    if (!below || file < 0) return;
    snprintf(folder, sizeof folder, "%s", below);
    void *mapped = mmap(NULL, sizeof *counter, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    syscall(SYS_close, file);
    at = number("INJECT_AT");
    code = (int)number("INJECT_CODE");
    lasting = (int)number("INJECT_LASTING");
    log_to = raw_open(getenv("INJECT_LOG"), O_WRONLY | O_CREAT | O_APPEND);
    if (mapped != MAP_FAILED) counter = mapped;
}

static void absolute(int at_folder, const char *path, char *out) {
    char link[64], base[PATH_MAX] = "";
    if (path[0] != '/') {
        snprintf(link, sizeof link, at_folder == AT_FDCWD ? "/proc/self/cwd" : "/proc/self/fd/%d", at_folder);
        ssize_t length = readlink(link, base, sizeof base - 2);
        snprintf(base + (length > 0 ? length : 0), 2, "/");
    }
    if (snprintf(out, PATH_MAX, "%.2000s%.2000s", base, path) < 0) out[0] = 0;
}

static int is_below(const char *path) {
    size_t length = strlen(folder);
    return strncmp(path, folder, length) == 0 && (path[length] == '/' || path[length] == 0);
}

static void die(void) {
    syscall(SYS_kill, syscall(SYS_getpid), SIGKILL);
}

/* Counts an operation on a path. 0: go on; 1: the first failure; 2: a later one. */
static int strikes(const char *name, int at_folder, const char *path, int removes) {
    char full[PATH_MAX], line[PATH_MAX + 32];
    if (!counter || !path) return 0;
    absolute(at_folder, path, full);
    if (!is_below(full)) return 0;
    long count = __atomic_add_fetch(counter, 1, __ATOMIC_SEQ_CST);
    if (log_to >= 0) {
        int length = snprintf(line, sizeof line, "%s %s\n", name, full);
        syscall(SYS_write, log_to, line, (size_t)length);
    }
    if (!at || count < at || (count > at && !lasting)) return 0;
    if (removes && code == ENOSPC && count > at) return 0;
    return count == at ? 1 : 2;
}

static int fails(const char *name, int at_folder, const char *path, int removes) {
    if (!strikes(name, at_folder, path, removes)) return 0;
    if (!code) die();
    errno = code;
    return 1;
}

static int strikes_file(const char *name, int file) {
    char link[64], path[PATH_MAX] = "";
    if (!counter) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    return readlink(link, path, sizeof path - 1) > 0 ? strikes(name, AT_FDCWD, path, 0) : 0;
}

static int fails_file(const char *name, int file) {
    if (!strikes_file(name, file)) return 0;
    if (!code) die();
    errno = code;
    return 1;
}

#define REAL(type, name, ...) ((type (*)(__VA_ARGS__))dlsym(RTLD_NEXT, #name))
#define WRITES(flags) (((flags) & O_ACCMODE) != O_RDONLY || ((flags) & (O_CREAT | O_TRUNC)))

static mode_t mode_of(int flags, va_list rest) {
    return (flags & O_CREAT) || (flags & O_TMPFILE) == O_TMPFILE ? va_arg(rest, mode_t) : 0;
}

#define OPEN(name)                                                                \
    int name(const char *path, int flags, ...) {                                  \
        va_list rest;                                                             \
        va_start(rest, flags);                                                    \
        mode_t mode = mode_of(flags, rest);                                       \
        va_end(rest);                                                             \
        if (WRITES(flags) && fails("open", AT_FDCWD, path, 0)) return -1;         \
        return (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);             \
    }
OPEN(open)
OPEN(open64)

#define OPENAT(name)                                                              \
    int name(int where, const char *path, int flags, ...) {                       \
        va_list rest;                                                             \
        va_start(rest, flags);                                                    \
        mode_t mode = mode_of(flags, rest);                                       \
        va_end(rest);                                                             \
        if (WRITES(flags) && fails("open", where, path, 0)) return -1;            \
        return (int)syscall(SYS_openat, where, path, flags, mode);                \
    }
OPENAT(openat)
OPENAT(openat64)

#define FOPEN(name)                                                               \
    FILE *name(const char *path, const char *mode) {                              \
        if (strpbrk(mode, "wa+x") && fails("open", AT_FDCWD, path, 0)) return NULL; \
        return REAL(FILE *, name, const char *, const char *)(path, mode);        \
    }
FOPEN(fopen)
FOPEN(fopen64)

ssize_t write(int file, const void *bytes, size_t length) {
    int struck = strikes_file("write", file);
    size_t half = length / 2;
    if (struck && (!code || lasting) && struck == 1 && half) {
        ssize_t written = syscall(SYS_write, file, bytes, half);
        if (!code) die();
        return written;
    }
    if (struck && !code) die();
    if (struck) {
        errno = code;
        return -1;
    }
    return syscall(SYS_write, file, bytes, length);
}

ssize_t writev(int file, const struct iovec *parts, int count) {
    return fails_file("write", file) ? -1 : syscall(SYS_writev, file, parts, count);
}

#define PWRITE(name)                                                              \
    ssize_t name(int file, const void *bytes, size_t length, off_t offset) {      \
        return fails_file("write", file) ? -1 : syscall(SYS_pwrite64, file, bytes, length, offset); \
    }
PWRITE(pwrite)
PWRITE(pwrite64)

size_t fwrite(const void *bytes, size_t size, size_t count, FILE *file) {
    if (fails_file("write", fileno(file))) return 0;
    return REAL(size_t, fwrite, const void *, size_t, size_t, FILE *)(bytes, size, count, file);
}

#define SENDFILE(name)                                                            \
    ssize_t name(int to, int from, off_t *offset, size_t length) {                \
        return fails_file("write", to) ? -1 : syscall(SYS_sendfile, to, from, offset, length); \
    }
SENDFILE(sendfile)
SENDFILE(sendfile64)

#define TRUNCATE(name)                                                            \
    int name(int file, off_t length) {                                            \
        return fails_file("truncate", file) ? -1 : (int)syscall(SYS_ftruncate, file, length); \
    }
TRUNCATE(ftruncate)
TRUNCATE(ftruncate64)

int fsync(int file) { return fails_file("fsync", file) ? -1 : (int)syscall(SYS_fsync, file); }
int fdatasync(int file) { return fails_file("fsync", file) ? -1 : (int)syscall(SYS_fdatasync, file); }

int renameat2(int where, const char *path, int there, const char *to, unsigned flags) {
    if (fails("rename", there, to, 0)) return -1;
    return (int)syscall(SYS_renameat2, where, path, there, to, flags);
}
int renameat(int where, const char *path, int there, const char *to) {
    return renameat2(where, path, there, to, 0);
}
int rename(const char *path, const char *to) { return renameat2(AT_FDCWD, path, AT_FDCWD, to, 0); }

int linkat(int where, const char *path, int there, const char *to, int flags) {
    return fails("link", there, to, 0) ? -1 : (int)syscall(SYS_linkat, where, path, there, to, flags);
}
int link(const char *path, const char *to) { return linkat(AT_FDCWD, path, AT_FDCWD, to, 0); }
int symlinkat(const char *target, int where, const char *path) {
    return fails("link", where, path, 0) ? -1 : (int)syscall(SYS_symlinkat, target, where, path);
}
int symlink(const char *target, const char *path) { return symlinkat(target, AT_FDCWD, path); }

int unlinkat(int where, const char *path, int flags) {
    return fails("unlink", where, path, 1) ? -1 : (int)syscall(SYS_unlinkat, where, path, flags);
}
int unlink(const char *path) { return unlinkat(AT_FDCWD, path, 0); }
int rmdir(const char *path) { return unlinkat(AT_FDCWD, path, AT_REMOVEDIR); }

int mkdirat(int where, const char *path, mode_t mode) {
    return fails("mkdir", where, path, 0) ? -1 : (int)syscall(SYS_mkdirat, where, path, mode);
}
int mkdir(const char *path, mode_t mode) { return mkdirat(AT_FDCWD, path, mode); }
