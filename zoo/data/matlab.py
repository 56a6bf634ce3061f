"""Read numeric matrices from MATLAB files (versions 5 to 7), one at a time.

`scipy.io.loadmat` allocates what headers ask for and decompresses everything, so a file of 200 kB can fill
half a gigabyte. Here, the size of each matrix is checked before its data is read or decompressed. The format
is documented in "MAT-File Format" (The MathWorks), chapter 1. Objects, structures, strings, complex and
sparse matrices are not supported.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

MAX_BYTES = 64 * 2**20
"""Maximum size of a matrix; the largest in a published file has 0.4 million bytes."""
MAX_ENTRIES, MAX_VARIABLES = 2**15, 2**10
"""Maximum number of matrices in a cell array and of variables in a file; published files have 694 and 3."""
MAX_DIMENSIONS = 8
MAX_NAME = 64
"""Maximum length of the name of a variable; MATLAB allows 63 characters."""

HEADER = 128
MATRIX, COMPRESSED, CELL, COMPLEX = 14, 15, 1, 0x800
"""Data types miMATRIX and miCOMPRESSED, the class of a cell array, and the flag of a complex matrix."""
NUMBERS = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
"""The numpy type of each numeric data type."""
CLASSES = range(6, 16)
"""Classes of numeric matrices: double, single, and integers of 1 to 8 bytes."""
CHUNK, DECOMPRESSED_CHUNK = 2**16, 2**20
"""Number of compressed bytes read at a time, and of bytes decompressed at a time."""


class Unreadable(ValueError):
    """The file is damaged, too large, or contains something other than numeric matrices."""


@dataclass(frozen=True)
class Segment:
    """The bytes of a variable in its file."""

    start: int
    size: int
    compressed: bool


@dataclass(frozen=True)
class ArrayHeader:
    """The header of an array: its class, whether it is complex, its dimensions and its name."""

    kind: int
    is_complex: bool
    dimensions: tuple[int, ...]
    name: str


class MatFile:
    """The variables in an open file.

    Raises:
        Unreadable: the version of the file is not 5 to 7, or the file is damaged.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        header = file.read(HEADER)
        byte_orders = {b"\x00\x01IM": "<", b"\x01\x00MI": ">"}
        if header[-4:] not in byte_orders or len(header) < HEADER:
            is_hdf5 = header.startswith((b"MATLAB 7.3", b"\x89HDF"))
            what = "it is a .mat file of version 7.3" if is_hdf5 else "it is not a .mat file"
            raise Unreadable(f"{what}; versions 5 to 7 can be read")
        self._order = byte_orders[header[-4:]]
        self._segments = dict(self._variables())

    def __contains__(self, name: str) -> bool:
        return name in self._segments

    def matrices(self, name: str) -> Iterator[NDArray[Any]]:
        """The matrices in a variable: the entries of a cell array, or the slices of a 3-D array.

        Args:
            name: name of a variable in the file.

        Yields:
            Numeric arrays in the stored type; (T, K) for a matrix.

        Raises:
            Unreadable: the next array is damaged, too large, or not a numeric matrix.
        """
        stream = self._stream(self._segments[name])
        header = stream.header()
        if header.kind == CELL:
            count = prod(header.dimensions)
            if count > MAX_ENTRIES:
                raise Unreadable(f"`{name}` has more than {MAX_ENTRIES} entries")
            for number in range(count):
                yield stream.matrix(stream.header(), f"entry {number} of `{name}`")
            return
        array = stream.matrix(header, f"`{name}`")
        yield from array if array.ndim == 3 else [array]

    def _variables(self) -> Iterator[tuple[str, Segment]]:
        """Name and position of each variable."""
        start = HEADER
        for _ in range(MAX_VARIABLES):
            self._file.seek(start)
            tag = self._file.read(8)
            if len(tag) < 8:
                return
            kind, size = np.frombuffer(tag, f"{self._order}u4").tolist()
            if kind not in (MATRIX, COMPRESSED):
                raise Unreadable("it is damaged")
            # Compressed data contains the tag of the matrix, uncompressed data is preceded by it.
            compressed = kind == COMPRESSED
            segment = Segment(start + 8, size, True) if compressed else Segment(start, size + 8, False)
            yield self._stream(segment).header().name, segment
            start += 8 + size
        raise Unreadable(f"it has more than {MAX_VARIABLES} variables")

    def _stream(self, segment: Segment) -> _Stream:
        return _Stream(self._file, segment, self._order)


class _Stream:
    """The elements of a variable in order, decompressed on demand."""

    def __init__(self, file: BinaryIO, segment: Segment, order: str) -> None:
        self._file, self._order = file, order
        self._offset, self._end = segment.start, segment.start + segment.size
        self._decompressor = zlib.decompressobj() if segment.compressed else None

    def header(self) -> ArrayHeader:
        """Read the header of the next array; class 0 if it is empty."""
        kind, size, _ = self._tag()
        if kind != MATRIX:
            raise Unreadable("it is damaged")
        if size == 0:  # an entry of a cell array that was never set
            return ArrayHeader(0, False, (0, 0), "")
        flags = self._integers(8)
        dimensions = tuple(self._integers(4 * MAX_DIMENSIONS).tolist())
        name = self._integers(MAX_NAME).astype(np.uint8).tobytes()
        if len(flags) != 2 or len(dimensions) < 2 or min(dimensions) < 0:
            raise Unreadable("it is damaged")
        class_and_flags = int(flags[0])
        if class_and_flags & 0xFF == 0:  # only an entry without a header has no class
            raise Unreadable("it is damaged")
        return ArrayHeader(
            class_and_flags & 0xFF, bool(class_and_flags & COMPLEX), dimensions, name.decode("latin-1")
        )

    def matrix(self, header: ArrayHeader, name: str) -> NDArray[Any]:
        """Read the data of the array whose header was read last."""
        if header.kind == 0:
            return np.zeros(header.dimensions)
        if header.kind not in CLASSES or header.is_complex:
            raise Unreadable(f"{name} is not a matrix of real numbers")
        # An array without numbers takes no memory, but its slices do.
        if prod(size or 1 for size in header.dimensions) > MAX_BYTES:
            raise Unreadable(f"{name} is larger than {MAX_BYTES // 2**20} MiB")
        numbers = self._numbers(MAX_BYTES, name)
        if len(numbers) != prod(header.dimensions):
            raise Unreadable("it is damaged")
        return numbers.reshape(header.dimensions, order="F")

    def _integers(self, limit: int) -> NDArray[Any]:
        """Read the next element of a header, which consists of integers."""
        numbers = self._numbers(limit, "a header")
        if numbers.dtype.kind == "f":
            raise Unreadable("it is damaged")
        return numbers

    def _numbers(self, limit: int, name: str) -> NDArray[Any]:
        """Read the next element, of at most `limit` bytes."""
        kind, size, inline = self._tag()
        if kind not in NUMBERS:
            raise Unreadable("it is damaged")
        if size > limit:
            raise Unreadable(f"{name} is larger than {limit:,} bytes")
        data = self._take(size) if inline is None else inline
        # MATLAB may store doubles that are small integers in a smaller type, so the type is that of the data.
        dtype = np.dtype(self._order + NUMBERS[kind])
        if inline is None:
            self._bytes(-size % 8)  # elements are padded to 8 bytes
        if len(data) % dtype.itemsize:
            raise Unreadable("it is damaged")
        return np.frombuffer(data, dtype)

    def _tag(self) -> tuple[int, int, bytes | bytearray | None]:
        """Read the type and size of the next element, and its data if it is stored inside the tag."""
        word = int(np.frombuffer(self._take(4), f"{self._order}u4")[0])
        if word >> 16:  # a small element: its size is in the upper half, its data of up to 4 bytes follows
            return word & 0xFFFF, word >> 16, self._take(4)[: word >> 16]
        return word, int(np.frombuffer(self._take(4), f"{self._order}u4")[0]), None

    def _take(self, count: int) -> bytes | bytearray:
        data = self._bytes(count)
        if len(data) < count:
            raise Unreadable("it is damaged or truncated")
        return data

    def _bytes(self, count: int) -> bytes | bytearray:
        """The next bytes; fewer at the end."""
        if self._decompressor is None:
            return self._raw(count)
        data = bytearray()
        try:
            while len(data) < count:
                compressed = self._decompressor.unconsumed_tail or self._raw(CHUNK)
                part = self._decompressor.decompress(compressed, min(count - len(data), DECOMPRESSED_CHUNK))
                if not (compressed or part):
                    break
                data += part
        except zlib.error as error:
            raise Unreadable("it is damaged") from error
        return data

    def _raw(self, count: int) -> bytes:
        self._file.seek(self._offset)
        data = self._file.read(min(count, self._end - self._offset))
        self._offset += len(data)
        return data
