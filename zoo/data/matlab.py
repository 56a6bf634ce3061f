"""MATLAB's files, version 5 to 7: the matrices of numbers in them, one in memory at a time.

`scipy.io.loadmat` takes the memory that headers ask for and unpacks all that is packed, so a file of 200 kB
can fill half a gigabyte. Here the size of each matrix is checked before its numbers are read or unpacked.
The layout is that of "MAT-File Format" (The MathWorks), chapter 1; objects, structures, characters, complex
and sparse matrices are not read.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

LARGEST = 64 * 2**20
"""Bytes of one matrix; the largest in a published file has 0.4 million."""
MOST_ENTRIES, MOST_VARIABLES = 2**15, 2**10
"""Matrices in a cell array, and variables in a file; published files have 694 and 3."""
MOST_DIMENSIONS = 8
LONGEST_NAME = 64
"""Letters in the name of a variable; MATLAB allows 63."""

HEADER = 128
PLAIN, PACKED, CELL, COMPLEX = 14, 15, 1, 0x800
"""Types of elements, the class of a cell array, and the flag of a complex matrix."""
NUMBERS = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
"""numpy's names of the types that numbers are stored in."""
CLASSES = range(6, 16)
"""Classes of matrices that hold numbers: double, single, and whole numbers of 1 to 8 bytes."""
CHUNK, UNPACKED = 2**16, 2**20
"""Packed bytes that are read at once, and how far they are unpacked at once."""


class Unreadable(ValueError):
    """The file is damaged, too large, or holds something else than matrices of numbers."""


@dataclass(frozen=True)
class Place:
    """Where a variable lies in its file."""

    start: int
    size: int
    packed: bool


@dataclass(frozen=True)
class Shape:
    """What the header of an array says: its class, whether it is complex, its dimensions and its name."""

    kind: int
    is_complex: bool
    dimensions: tuple[int, ...]
    name: str


class MatFile:
    """The variables of an open file.

    Raises:
        Unreadable: the file is not of version 5 to 7, or is damaged.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        header = file.read(HEADER)
        marks = {b"\x00\x01IM": "little", b"\x01\x00MI": "big"}
        if header[-4:] not in marks or len(header) < HEADER:
            new = header.startswith((b"MATLAB 7.3", b"\x89HDF"))
            it = "it is a .mat file of version 7.3" if new else "it is no .mat file"
            raise Unreadable(f"{it}, not of version 5 to 7")
        self._order = "<" if marks[header[-4:]] == "little" else ">"
        self._places = dict(self._variables())

    def __contains__(self, name: str) -> bool:
        return name in self._places

    def matrices(self, name: str) -> Iterator[NDArray[Any]]:
        """The matrices in a variable: the entries of a cell array, or those that are stacked in one array.

        Args:
            name: of a variable that is in the file.

        Yields:
            Arrays of numbers as they are stored; (T, K) for a matrix.

        Raises:
            Unreadable: what comes next is damaged, too large, or no matrix of numbers.
        """
        stream = self._stream(self._places[name])
        shape = stream.shape()
        if shape.kind == CELL:
            count = prod(shape.dimensions)
            if count > MOST_ENTRIES:
                raise Unreadable(f"`{name}` has more than {MOST_ENTRIES} entries")
            for number in range(count):
                yield stream.matrix(stream.shape(), f"entry {number} of `{name}`")
            return
        array = stream.matrix(shape, f"`{name}`")
        yield from array if array.ndim == 3 else [array]

    def _variables(self) -> Iterator[tuple[str, Place]]:
        """Name and place of each variable."""
        start = HEADER
        for _ in range(MOST_VARIABLES):
            self._file.seek(start)
            tag = self._file.read(8)
            if len(tag) < 8:
                return
            kind, size = np.frombuffer(tag, f"{self._order}u4").tolist()
            if kind not in (PLAIN, PACKED):
                raise Unreadable("it is damaged")
            packed = kind == PACKED
            place = Place(start + 8, size, True) if packed else Place(start, size + 8, False)
            yield self._stream(place).shape().name, place
            start += 8 + size
        raise Unreadable(f"it has more than {MOST_VARIABLES} variables")

    def _stream(self, place: Place) -> _Stream:
        return _Stream(self._file, place, self._order)


class _Stream:
    """The elements of a variable in order, unpacked as they are asked for."""

    def __init__(self, file: BinaryIO, place: Place, order: str) -> None:
        self._file, self._order = file, order
        self._at, self._end = place.start, place.start + place.size
        self._unpacker = zlib.decompressobj() if place.packed else None

    def shape(self) -> Shape:
        """The header of the next array."""
        kind, size, _ = self._tag()
        if kind != PLAIN:
            raise Unreadable("it is damaged")
        if size == 0:  # an entry of a cell array that was never set
            return Shape(0, False, (0, 0), "")
        flags = self._whole_numbers(8)
        dimensions = tuple(self._whole_numbers(4 * MOST_DIMENSIONS).tolist())
        name = self._whole_numbers(LONGEST_NAME).astype(np.uint8).tobytes()
        if len(flags) != 2 or len(dimensions) < 2 or min(dimensions) < 0:
            raise Unreadable("it is damaged")
        which = int(flags[0])
        return Shape(which & 0xFF, bool(which & COMPLEX), dimensions, name.decode("latin-1"))

    def matrix(self, shape: Shape, name: str) -> NDArray[Any]:
        """The numbers of the array whose header was read."""
        if shape.kind == 0:
            return np.zeros(shape.dimensions)
        if shape.kind not in CLASSES or shape.is_complex:
            raise Unreadable(f"{name} is no matrix of real numbers")
        if prod(shape.dimensions) > LARGEST:
            raise Unreadable(f"{name} is larger than {LARGEST // 2**20} MiB")
        numbers = self._numbers(LARGEST, name)
        if len(numbers) != prod(shape.dimensions):
            raise Unreadable("it is damaged")
        return numbers.reshape(shape.dimensions, order="F")

    def _whole_numbers(self, most: int) -> NDArray[Any]:
        """The whole numbers of the next element of a header."""
        numbers = self._numbers(most, "a header")
        if numbers.dtype.kind == "f":
            raise Unreadable("it is damaged")
        return numbers

    def _numbers(self, most: int, name: str) -> NDArray[Any]:
        """The numbers of the next element, which may have `most` bytes."""
        kind, size, small = self._tag()
        if kind not in NUMBERS:
            raise Unreadable("it is damaged")
        if size > most:
            raise Unreadable(f"{name} is larger than {most:,} bytes")
        data = self._take(size) if small is None else small
        dtype = np.dtype(self._order + NUMBERS[kind])
        if small is None:
            self._bytes(-size % 8)
        if len(data) % dtype.itemsize:
            raise Unreadable("it is damaged")
        return np.frombuffer(data, dtype)

    def _tag(self) -> tuple[int, int, bytes | bytearray | None]:
        """Type and size of the next element, and its bytes where they are few and lie in the tag."""
        word = int(np.frombuffer(self._take(4), f"{self._order}u4")[0])
        if word >> 16:
            return word & 0xFFFF, word >> 16, self._take(4)[: word >> 16]
        return word, int(np.frombuffer(self._take(4), f"{self._order}u4")[0]), None

    def _take(self, count: int) -> bytes | bytearray:
        data = self._bytes(count)
        if len(data) < count:
            raise Unreadable("it is damaged or cut off")
        return data

    def _bytes(self, count: int) -> bytes | bytearray:
        """The next bytes; fewer at the end."""
        if self._unpacker is None:
            return self._raw(count)
        data = bytearray()
        try:
            while len(data) < count:
                packed = self._unpacker.unconsumed_tail or self._raw(CHUNK)
                part = self._unpacker.decompress(packed, min(count - len(data), UNPACKED))
                if not (packed or part):
                    break
                data += part
        except zlib.error as error:
            raise Unreadable("it is damaged") from error
        return data

    def _raw(self, count: int) -> bytes:
        self._file.seek(self._at)
        data = self._file.read(min(count, self._end - self._at))
        self._at += len(data)
        return data
