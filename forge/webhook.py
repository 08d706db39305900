"""Is this delivery from the forge? Checks signatures over raw bytes. Performs no I/O."""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

MAX_BODY = 2 * 1024 * 1024
"""Bytes of a webhook body that a receiver has to accept; larger ones are refused unread."""


class BadDelivery(Exception):
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


def verify(forge: str, headers: Mapping[str, str], body: bytes, secrets: Iterable[bytes]) -> Delivery:
    """Check the signature and read the headers.

    Several secrets are accepted at once, so that one can be rotated. Raises BadDelivery: 401 for
    a missing, empty or wrong signature (a forge without a secret still sends the header, empty),
    400 for missing event headers, 413 for a body above MAX_BODY.
    """
    if len(body) > MAX_BODY:
        raise BadDelivery(413, f"body of {len(body)} bytes is above the limit of {MAX_BODY}")
    lower = {name.lower(): value for name, value in headers.items()}
    signature = _signature(lower)
    if not signature or not any(_matches(signature, secret, body) for secret in secrets):
        raise BadDelivery(401, "signature missing or wrong")
    kind = _first(lower, "event-type") or lower.get("x-github-event", "")
    delivery_id = _first(lower, "delivery")
    if not kind or not delivery_id:
        raise BadDelivery(400, "event type or delivery id missing")
    return Delivery(forge, delivery_id[:100], kind[:100], body)


def sign(secret: bytes, body: bytes) -> str:
    """The hex HMAC-SHA256 of a body, as Forgejo and Gitea send it (GitHub puts `sha256=` before)."""
    return hmac.new(secret, body, "sha256").hexdigest()


def _signature(headers: Mapping[str, str]) -> str:
    return _first(headers, "signature") or headers.get("x-hub-signature-256", "").removeprefix("sha256=")


def _first(headers: Mapping[str, str], what: str) -> str:
    return next((value for forge in ("forgejo", "gitea", "github") if (value := headers.get(f"x-{forge}-{what}"))), "")


def _matches(signature: str, secret: bytes, body: bytes) -> bool:
    # Bytes on both sides: compare_digest raises TypeError for text that is not ASCII.
    return bool(secret) and hmac.compare_digest(sign(secret, body).encode(), signature.encode("utf-8", "replace"))
