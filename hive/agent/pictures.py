"""Pictures by their first bytes: what a model may be shown. A name proves nothing, and no pixel is decoded here."""

from __future__ import annotations

import base64
from typing import Any, Self

MAX_BYTES = 1_500_000
"""Of one picture: as base64 it has to fit into a line of the transcript, and beside others into a request."""

_BEGINNINGS = ((b"\x89PNG\r\n\x1a\n", "png"), (b"\xff\xd8\xff", "jpeg"), (b"GIF87a", "gif"), (b"GIF89a", "gif"))
_WEBP = 12
"""The bytes that tell WebP from other RIFF files."""


class Picture(str):
    """A picture as the result of a tool. As a text it is what stands for it where no picture can be."""

    __slots__ = ("data", "kind")

    kind: str
    data: bytes

    def __new__(cls, words: str, kind: str, data: bytes) -> Self:
        """`kind` is the second half of its media type."""
        picture = super().__new__(cls, words)
        picture.kind, picture.data = kind, data
        return picture

    @property
    def letters(self) -> int:
        """How many letters it has where it is sent."""
        return (len(self.data) + 2) // 3 * 4

    @property
    def blocks(self) -> list[dict[str, Any]]:
        """The picture with its words, as the Messages API has them."""
        data = base64.b64encode(self.data).decode("ascii")
        source = {"type": "base64", "media_type": f"image/{self.kind}", "data": data}
        return [{"type": "text", "text": str(self)}, {"type": "image", "source": source}]


def kind_of(begin: bytes) -> str:
    """The kind of picture that begins so: `png`, `jpeg`, `gif`, `webp`, or nothing."""
    if begin[:4] == b"RIFF" and begin[8:_WEBP] == b"WEBP":
        return "webp"
    return next((kind for magic, kind in _BEGINNINGS if begin.startswith(magic)), "")
