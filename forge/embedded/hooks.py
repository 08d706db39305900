"""Sends webhook deliveries: one thread, each delivery once, in order.

A slow receiver holds up all others, and what failed is lost: real forges are like that.
"""

from __future__ import annotations

import hashlib
import hmac
import http.client
import threading
import uuid
from urllib.parse import urlsplit

from forge.embedded.events import COARSE
from forge.embedded.faults import Fault
from forge.embedded.instance import ForgeInstance
from forge.embedded.state import Row


class Sender:
    """Sends stored deliveries, from `start` until `stop`."""

    def __init__(self, site: ForgeInstance) -> None:
        self._site = site
        self._stopping = threading.Event()
        self._late: dict[int, str] = {}
        """The deliveries that a fault holds back, and which."""
        self._thread = threading.Thread(target=self._work, name="hooks", daemon=True)

    def start(self) -> None:
        """Start, with the deliveries that are left from the last run."""
        self._site.state.changed.set()
        self._thread.start()

    def stop(self) -> None:
        """End after the delivery that is under way."""
        self._stopping.set()
        self._site.state.changed.set()
        if self._thread.ident:
            self._thread.join()

    def _work(self) -> None:
        changed = self._site.state.changed
        wait: float | None = None
        while not self._stopping.is_set():
            changed.wait(wait)
            changed.clear()
            wait = self._send_due()

    def _send_due(self) -> float | None:
        """Send due deliveries; answers the seconds until the next one, None if there is none."""
        state, clock = self._site.state, self._site.clock
        while not self._stopping.is_set():
            sql = "SELECT * FROM deliveries WHERE tried IS NULL AND due <= ? ORDER BY id LIMIT 1"
            delivery = state.row(sql, clock())
            if delivery is None:
                due = state.value("SELECT min(due) FROM deliveries WHERE tried IS NULL")
                return None if due is None else max(0.0, float(due) - clock())
            hook = state.get("hooks", delivery["hook_id"])
            fault = self._fault(delivery) if hook else None
            if fault and fault.kind in {"delay", "reorder"}:
                state.update("deliveries", delivery["id"], due=clock() + fault.seconds)
                self._late[delivery["id"]] = fault.kind
                continue
            # Marked before it is tried, so that a crash loses it rather than sends it twice.
            state.update("deliveries", delivery["id"], tried=clock())
            if hook and not (fault and fault.kind == "drop"):
                self._try(hook, delivery, fault)
        return None

    def _fault(self, delivery: Row) -> Fault | None:
        """The fault of a delivery; a delayed one gets no second fault."""
        return None if self._late.pop(delivery["id"], "") else self._site.faults.of_delivery(delivery["kind"])

    def _try(self, hook: Row, delivery: Row, fault: Fault | None) -> None:
        kind, state = fault.kind if fault else "", self._site.state
        answer = send(self._site, hook, delivery, corrupt=kind == "corrupt")
        if kind == "duplicate":
            answer = send(self._site, hook, delivery)
        state.update("deliveries", delivery["id"], answer=answer)
        if kind == "replay":
            about = {"uuid": str(uuid.uuid4()), "tried": self._site.clock()}
            copy = {key: value for key, value in delivery.items() if key not in {"id", "answer"}} | about
            state.insert("deliveries", **copy)
            send(self._site, hook, copy)
        for key in [key for key, why in self._late.items() if why == "reorder"]:
            # One has passed it: now it may go.
            state.update("deliveries", key, due=0)


def send(site: ForgeInstance, hook: Row, delivery: Row, *, corrupt: bool = False) -> int:
    """Send one delivery; answers the receiver's status, 0 without a response. `corrupt` flips a byte."""
    body = str(delivery["body"]).encode()
    headers = _headers(site, hook, delivery, body)
    if corrupt:
        middle = len(body) // 2
        body = body[:middle] + bytes([body[middle] ^ 1]) + body[middle + 1 :]
    return _request(str(hook["url"]), headers, body, timeout=site.hook_timeout)


def _headers(site: ForgeInstance, hook: Row, delivery: Row, body: bytes) -> dict[str, str]:
    kind, secret = str(delivery["kind"]), hook["secret"].encode()
    sha256 = hmac.new(secret, body, hashlib.sha256).hexdigest() if secret else ""
    sha1 = hmac.new(secret, body, hashlib.sha1).hexdigest() if secret else ""
    headers = {"User-Agent": "Go-http-client/1.1"}
    if hook["authorization"]:
        headers["Authorization"] = hook["authorization"]
    headers["Content-Type"] = "application/json"
    for forge in site.flavour.hook_headers:
        headers[f"X-{forge}-Delivery"] = delivery["uuid"]
        headers[f"X-{forge}-Event"] = COARSE.get(kind, kind)
        headers[f"X-{forge}-Event-Type"] = kind
        if forge != "GitHub":
            headers[f"X-{forge}-Signature"] = sha256
        if site.flavour.hook_target and forge != "Gogs":
            headers[f"X-{forge}-Hook-Installation-Target-Type"] = _target(site, hook)
    return headers | {
        "X-Hub-Signature": f"sha1={sha1}",
        "X-Hub-Signature-256": f"sha256={sha256}",
        "Accept-Encoding": "gzip",
    }


def _target(site: ForgeInstance, hook: Row) -> str:
    """The type of a webhook's owner."""
    if hook["repo_id"]:
        return "repository"
    owner = site.state.get("users", hook["owner_id"])
    return "system" if owner is None else "organization" if owner["is_org"] else "user"


def _request(url: str, headers: dict[str, str], body: bytes, *, timeout: float) -> int:
    parts = urlsplit(url)
    make = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    try:
        connection = make(parts.netloc, timeout=timeout)
    except http.client.InvalidURL:
        return 0
    try:
        connection.request("POST", f"{parts.path or '/'}{'?' + parts.query if parts.query else ''}", body, headers)
        answer = connection.getresponse()
        answer.read()
        return answer.status
    except (OSError, http.client.HTTPException, ValueError):
        return 0
    finally:
        connection.close()
