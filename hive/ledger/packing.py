"""Bodies as the ledger keeps them. Most of a delivery are names of fields, and `words.txt` holds those of forges' deliveries.

zlib is told of the words before it begins: what is kept is about a tenth of what was sent, and takes no longer. The words
are part of what is stored: they are never changed, or nothing that was packed with them can be read. Performs no I/O.
"""

from __future__ import annotations

import zlib
from pathlib import Path

WORDS = Path(__file__).with_name("words.txt").read_bytes()
LEVEL = 2
"""For this kind of text quicker than 1, and smaller."""


def pack(body: bytes) -> bytes:
    """A body as it is kept."""
    packer = zlib.compressobj(LEVEL, zdict=WORDS)
    return packer.compress(body) + packer.flush()


def unpack(packed: bytes) -> bytes:
    """The body; one that was packed without words has no need of them. Raises ValueError for what is cut or no body."""
    unpacker = zlib.decompressobj(zdict=WORDS)
    try:
        body = unpacker.decompress(packed)
    except zlib.error as error:
        raise ValueError(f"no packed body: {error}") from error
    if not unpacker.eof:
        raise ValueError("the packed body is cut")
    return body
