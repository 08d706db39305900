"""What keys look like, by the form that their issuers gave them. Performs no I/O."""

from __future__ import annotations

import re

_KEYS = (
    (
        b"PRIVATE KEY-----",
        rb"-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----(?:\\n|\s)+[A-Za-z0-9+/=\s\\]{64,}",
    ),
    *((b"gh%c_" % kind, rb"\bgh%c_[A-Za-z0-9]{36}\b" % kind) for kind in b"pousr"),
    (b"github_pat_", rb"\bgithub_pat_[A-Za-z0-9_]{60,}"),
    (b"glpat-", rb"\bglpat-[A-Za-z0-9_-]{20,}"),
    (b"sk-ant-", rb"\bsk-ant-[a-z0-9]{3,8}-[A-Za-z0-9_-]{32,}"),
    (b"sk-", rb"\bsk-(?:proj-)?[A-Za-z0-9]{40,}\b"),
    (b"k_live_", rb"\b[rs]k_live_[A-Za-z0-9]{20,}"),
    *((start, rb"\b%b(?![A-Z0-9]{9}EXAMPLE)[A-Z0-9]{16}\b" % start) for start in (b"AKIA", b"ASIA")),
    (b"AIza", rb"\bAIza[A-Za-z0-9_-]{35}\b"),
    (b"hf_", rb"\bhf_[A-Za-z]{34}\b"),
    (b"xox", rb"\bxox[abprs]-[0-9]{8,}-[A-Za-z0-9-]{20,}"),
    (b"npm_", rb"\bnpm_[A-Za-z0-9]{36}\b"),
    (b"pypi-AgEI", rb"\bpypi-AgEI[A-Za-z0-9_-]{50,}"),
)
"""Keys by the form that their issuers gave them, so that they can be told from other text; each with words that are in it."""

_PATTERNS = tuple((start, re.compile(pattern)) for start, pattern in _KEYS)


def keys_in(data: bytes) -> frozenset[bytes]:
    """What looks like a key of a known issuer."""
    return frozenset(found[0] for start, key in _PATTERNS if start in data for found in key.finditer(data))
