"""What was compressed can be restored, for as long as there are ledgers."""

from __future__ import annotations

import json
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hive.ledger import compress, decompress
from hive.ledger.compression import DICTIONARY

KEPT = b"x}\xb1\x8eq'\x03\x99\x8043\x06*C\x81\x8e\x04\xb9\x011\xf5e\xceU\x0b\x00\xddu\n\xfc"
"""A body as a ledger holds it."""


@given(st.binary(max_size=5000))
def test_round_trip(body: bytes) -> None:
    """Any body comes back as it was, compressed with the dictionary or without."""
    assert decompress(compress(body)) == body
    assert decompress(zlib.compress(body, 1)) == body, "without the dictionary"


def test_the_dictionary_never_changes() -> None:
    """Ledgers hold bodies compressed with it: a better dictionary is another file beside this one."""
    assert zlib.adler32(DICTIONARY) == 2978902311
    assert decompress(KEPT) == b'{\n  "action": "opened",\n  "number": 7\n}'


@pytest.mark.parametrize("packed", [b"", b"nonsense", compress(b"{}" * 50)[:-3], compress(b"{}")[:4]])
def test_other_data_is_refused(packed: bytes) -> None:
    """A truncated body or other data is a ValueError, never half a body."""
    with pytest.raises(ValueError, match="compressed body"):
        decompress(packed)


def test_words_are_of_use() -> None:
    """A delivery takes a good part less than it takes without them."""
    user = {"id": 12, "login": "mara", "login_name": "", "source_id": 0, "full_name": "", "email": "mara@forge.invalid"}
    repo = {"id": 3, "owner": user, "name": "app", "full_name": "acme/app", "description": "", "empty": False}
    issue = {"id": 9, "number": 4, "user": user, "original_author": "", "title": "It shows 0", "labels": []}
    body = json.dumps({"action": "opened", "number": 4, "issue": issue, "repository": repo, "sender": user}, indent=2)
    assert len(compress(body.encode())) < len(zlib.compress(body.encode(), 1)) * 0.85
