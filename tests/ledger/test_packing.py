"""What was packed can be unpacked, for as long as there are ledgers."""

from __future__ import annotations

import json
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hive.ledger import pack, unpack
from hive.ledger.packing import WORDS

KEPT = b"x}\xb1\x8eq'\x03\x99\x8043\x06*C\x81\x8e\x04\xb9\x011\xf5e\xceU\x0b\x00\xddu\n\xfc"
"""A body as it stands in a ledger."""


@given(st.binary(max_size=5000))
def test_comes_back_as_it_was(body: bytes) -> None:
    """Whatever was sent, with the words of forges or without."""
    assert unpack(pack(body)) == body
    assert unpack(zlib.compress(body, 1)) == body, "a ledger of before the words"


def test_words_are_never_changed() -> None:
    """Ledgers hold bodies that were packed with them: other words are another file, beside this one."""
    assert zlib.adler32(WORDS) == 2978902311
    assert unpack(KEPT) == b'{\n  "action": "opened",\n  "number": 7\n}'


@pytest.mark.parametrize("packed", [b"", b"nonsense", pack(b"{}" * 50)[:-3], pack(b"{}")[:4]])
def test_what_is_no_packed_body_is_told(packed: bytes) -> None:
    """A cut or foreign one is a ValueError, never half a body."""
    with pytest.raises(ValueError, match="packed body"):
        unpack(packed)


def test_words_are_of_use() -> None:
    """A delivery takes a good part less than it takes without them."""
    user = {"id": 12, "login": "mara", "login_name": "", "source_id": 0, "full_name": "", "email": "mara@forge.invalid"}
    repo = {"id": 3, "owner": user, "name": "app", "full_name": "acme/app", "description": "", "empty": False}
    issue = {"id": 9, "number": 4, "user": user, "original_author": "", "title": "It shows 0", "labels": []}
    body = json.dumps({"action": "opened", "number": 4, "issue": issue, "repository": repo, "sender": user}, indent=2)
    assert len(pack(body.encode())) < len(zlib.compress(body.encode(), 1)) * 0.75
