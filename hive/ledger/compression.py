"""Compression of stored bodies, with a zlib dictionary of the field names in forges' deliveries.

A delivery shrinks to about a tenth and takes no longer to store. The dictionary is part of what is stored: it never
changes, or nothing compressed with it can be read. Performs no I/O.
"""

from __future__ import annotations

import zlib
from pathlib import Path

DICTIONARY = Path(__file__).with_name("zlib_dictionary.txt").read_bytes()
LEVEL = 2
"""For this kind of text faster than 1, and smaller."""


def compress(body: bytes) -> bytes:
    """Compress a body for storage."""
    compressor = zlib.compressobj(LEVEL, zdict=DICTIONARY)
    return compressor.compress(body) + compressor.flush()


def decompress(stored: bytes) -> bytes:
    """Restore a body, compressed with the dictionary or without; raises ValueError for truncated or other data."""
    decompressor = zlib.decompressobj(zdict=DICTIONARY)
    try:
        body = decompressor.decompress(stored)
    except zlib.error as error:
        raise ValueError(f"not a compressed body: {error}") from error
    if not decompressor.eof:
        raise ValueError("the compressed body is truncated")
    return body
