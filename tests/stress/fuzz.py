"""Coverage-guided fuzzing of the readers of untrusted bytes.

    pip install atheris
    python tests/stress/fuzz.py midi build/fuzz/midi -max_total_time=3600

Each reader returns music or raises its declared error, whatever the bytes. Any other exception, more than ten
seconds, or more than 1.5 GB of memory is a finding. It is written to tests/stress/corpus/READER, where
tests/stress/test_fuzz.py reads it in every test run. Inputs that reach new code are kept in the folder, and
the next run continues from them. Further options are those of libFuzzer.
"""

from __future__ import annotations

import struct
import sys
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from pickle import dumps

CORPUS = Path(__file__).resolve().parent / "corpus"
LIMITS = ("-timeout=10", "-rss_limit_mb=1500", "-max_len=4096", "-print_final_stats=1")


def read_midi(content: bytes) -> None:
    """Read a MIDI file as every command does."""
    from zoo.music.guard import MidiError
    from zoo.music.midi import examine_bytes

    with suppress(MidiError):
        examine_bytes(content, "fuzz.mid")


def read_pickle(content: bytes) -> None:
    """Read a published dataset in a pickle."""
    from zoo.data.unpickle import UnsafePickle, unpickle

    with suppress(UnsafePickle):
        unpickle(content)


def read_mat(content: bytes) -> None:
    """Read the variables of a MATLAB file; without its header, which the fuzzer would have to guess."""
    from zoo.data.matlab import MatFile, Unreadable

    with suppress(Unreadable):
        file = MatFile(BytesIO(bytes(124) + b"\x00\x01IM" + content))
        for name in ("traindata", "validdata", "testdata"):
            if name in file:
                list(file.matrices(name))


READERS: dict[str, Callable[[bytes], None]] = {"midi": read_midi, "pickle": read_pickle, "mat": read_mat}


def seeds(reader: str) -> Iterator[bytes]:
    """Small valid inputs, from which the fuzzer starts."""
    if reader == "midi":
        meta = b"\x00\xff\x51\x03\x07\xa1\x20\x00\xff\x58\x04\x03\x02\x18\x08"
        notes = b"\x00\x90\x3c\x40\x81\x70\x80\x3c\x00"
        pedal = b"\x00\xb0\x40\x7f\x00\x90\x40\x40\x60\x40\x00"
        track = meta + notes + pedal + b"\x00\xff\x2f\x00"
        yield b"MThd" + struct.pack(">IHHH", 6, 0, 1, 480) + b"MTrk" + struct.pack(">I", len(track)) + track
    if reader == "pickle":
        yield from (
            dumps({"train": [[(60, 64), ()], [(67,)]], "test": []}, protocol) for protocol in range(6)
        )
    if reader == "mat":
        name, data = (
            struct.pack("<II", 1, 9) + b"traindata" + bytes(7),
            struct.pack("<II", 2, 4) + b"\0\1\1\0",
        )
        flags, shape = struct.pack("<IIII", 6, 8, 9, 0), struct.pack("<IIii", 5, 8, 2, 2)
        matrix = flags + shape + name + data + bytes(4)
        whole = struct.pack("<II", 14, len(matrix)) + matrix
        packed = zlib.compress(whole)
        yield whole
        yield struct.pack("<II", 15, len(packed)) + packed


def main(reader: str, folder: str, *options: str) -> None:
    """Fuzz a reader until a finding or an option ends it."""
    import atheris

    with atheris.instrument_imports(include=["zoo.music", "zoo.data", "zlib", "pickletools"]):
        import zoo.data.matlab
        import zoo.data.unpickle
        import zoo.music.midi  # noqa: F401 - imported to be instrumented
    for path in (Path(folder), CORPUS / reader):
        path.mkdir(parents=True, exist_ok=True)
    for number, content in enumerate(seeds(reader)):
        (Path(folder) / f"seed-{number}").write_bytes(content)
    found = f"-artifact_prefix={CORPUS / reader}/"
    atheris.Setup([sys.argv[0], *LIMITS, found, *options, folder, str(CORPUS / reader)], READERS[reader])
    atheris.Fuzz()


if __name__ == "__main__":
    if len(sys.argv) < 3 or sys.argv[1] not in READERS:
        sys.exit(f"usage: python {sys.argv[0]} {'|'.join(READERS)} FOLDER [OPTION of libFuzzer ...]")
    main(*sys.argv[1:])
