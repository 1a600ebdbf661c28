"""Reader for the IDX files of MNIST and similar data sets, compressed or not."""

from __future__ import annotations

import gzip
import math
import struct
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from examples.command_line import CommandError

_UNSIGNED_BYTES = 8  # the format's code of the data type
_MAGIC, _DIMENSION = 4, 4  # bytes: the file's first number, and the length of each dimension


def read_idx(path: Path) -> NDArray[np.uint8]:
    """Return the array in an IDX file of unsigned bytes. A path without .gz also finds a compressed file.

    Raises:
        FileNotFoundError: If neither file exists.
        CommandError: If the file is not an IDX file of unsigned bytes.
    """
    packed = path.with_name(f"{path.name}.gz")
    if path.is_file():
        content = path.read_bytes()
    elif packed.is_file():
        content = gzip.decompress(packed.read_bytes())
    else:
        raise FileNotFoundError(
            f"The folder must contain {path.name} or {packed.name}, found neither in {path.parent}."
        )
    return _decode(content, path)


def _decode(content: bytes, path: Path) -> NDArray[np.uint8]:
    # First come two zeros, the type and the number of dimensions. Then comes each dimension as a big-endian 32-bit
    # number, and then the values.
    if len(content) < _MAGIC or content[:3] != bytes((0, 0, _UNSIGNED_BYTES)):
        raise CommandError(f"{path} must be an IDX file of unsigned bytes, found one that begins with {content[:4]!r}.")
    header = _MAGIC + _DIMENSION * content[3]
    if len(content) < header:
        raise CommandError(f"{path} must have a header of {header} bytes, found {len(content)}. Download it again.")
    shape = struct.unpack(f">{content[3]}I", content[_MAGIC:header])
    if len(content) - header != math.prod(shape):
        raise CommandError(
            f"{path} must contain {math.prod(shape)} values, found {len(content) - header}. Download it again."
        )
    return np.frombuffer(content, np.uint8, offset=header).reshape(shape)
