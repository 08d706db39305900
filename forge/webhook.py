"""Is this delivery from the forge? Checks signatures over raw bytes. Performs no I/O."""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

MAX_BODY = 2 * 1024 * 1024
"""Bytes of a webhook body that a receiver has to accept; larger ones are refused unread."""


_SIGNATURE = ("x-forgejo-signature", "x-gitea-signature", "x-github-signature", "x-hub-signature-256")
_KIND = ("x-forgejo-event-type", "x-gitea-event-type", "x-github-event-type", "x-github-event")
_ID = ("x-forgejo-delivery", "x-gitea-delivery", "x-github-delivery")


class RejectedDelivery(Exception):
    """The request is no delivery of this forge: `status` is the HTTP answer it deserves."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


@dataclass(frozen=True, slots=True)
class Delivery:
    """One verified delivery, whole: enough to be stored, decoded and replayed.

    `kind` is the fine event type (`X-Forgejo-Event-Type`), never the coarse `X-Forgejo-Event`,
    which calls a review of type comment and a comment on a pull request by one name.
    """

    forge: str
    id: str
    kind: str
    body: bytes


def verify_any_case(forge: str, headers: Mapping[str, str], body: bytes, secrets: Iterable[bytes]) -> Delivery:
    """Check the signature and read the headers in any case; see `verify`."""
    return verify(forge, {name.lower(): value for name, value in headers.items()}, body, secrets)


def verify(forge: str, headers: Mapping[str, str], body: bytes, secrets: Iterable[bytes]) -> Delivery:
    """Check the signature and read the headers, whose names are in lower case.

    Several secrets are accepted at once, so that one can be rotated. Raises BadDelivery: 401 for
    a missing, empty or wrong signature (a forge without a secret still sends the header, empty),
    400 for missing event headers, 413 for a body above MAX_BODY.
    """
    if len(body) > MAX_BODY:
        raise RejectedDelivery(413, f"body of {len(body)} bytes is above the limit of {MAX_BODY}")
    signature = _first(headers, _SIGNATURE).removeprefix("sha256=")
    if not signature or not any(_matches(signature, secret, body) for secret in secrets):
        raise RejectedDelivery(401, "signature missing or wrong")
    kind = _first(headers, _KIND)
    delivery_id = _first(headers, _ID)
    if not kind or not delivery_id:
        raise RejectedDelivery(400, "event type or delivery id missing")
    return Delivery(forge, delivery_id[:100], kind[:100], body)


def sign(secret: bytes, body: bytes) -> str:
    """The hex HMAC-SHA256 of a body, as Forgejo and Gitea send it (GitHub puts `sha256=` before)."""
    return hmac.digest(secret, body, "sha256").hex()


def _first(headers: Mapping[str, str], names: tuple[str, ...]) -> str:
    for name in names:
        if value := headers.get(name):
            return value
    return ""


def _matches(signature: str, secret: bytes, body: bytes) -> bool:
    # Bytes on both sides: compare_digest raises TypeError for text that is not ASCII.
    return bool(secret) and hmac.compare_digest(sign(secret, body).encode(), signature.encode("utf-8", "replace"))
