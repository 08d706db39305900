"""The certificate authorities that this process trusts: public ones, and one of the operator's; verification is never off.

`SSL_CERT_FILE` is where OpenSSL, Python and httpx look, and child processes inherit it. requests and git have settings
of their own, which are set to the same file.
"""

from __future__ import annotations

import os
import re
import socket
import ssl
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

VARIABLE = "SSL_CERT_FILE"
SETTING = "ca_file in hive.yaml names the authority that is believed beside the public ones"
SECONDS = 5.0


def bundle() -> str:
    """The file of the authorities that are believed; empty for those that each library brings."""
    return os.environ.get(VARIABLE, "")


def trust(authority: Path, public: Path, into: Path) -> None:
    """Believe an authority beside the public ones from now on, here and in child processes.

    `into` is written, both in one PEM file. Raises OSError for a file that cannot be read, ValueError for one without a certificate.
    """
    known = checked(authority)
    whole = f"{public.read_text()}\n{known}\n"
    if not into.exists() or into.read_text() != whole:
        into.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        part = into.with_name(f"{into.name}.{os.getpid()}")
        part.write_text(whole)
        part.chmod(0o600)
        part.rename(into)
    os.environ[VARIABLE] = str(into)


def checked(authority: Path) -> str:
    """The PEM text of an authority; raises OSError, and ValueError if there is no certificate in it."""
    text = authority.read_text("utf-8", errors="replace")
    found = "\n".join(_CERTIFICATE.findall(text))
    try:
        ssl.create_default_context(cadata=found or "-")
    except (ssl.SSLError, ValueError) as error:
        raise ValueError(f"{authority} holds no certificate in PEM form") from error
    return found


_CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----")


def context() -> ssl.SSLContext:
    """What a TLS client verifies with."""
    return ssl.create_default_context(cafile=bundle() or None)


def is_untrusted(said: object) -> bool:
    """Whether an error is about an untrusted certificate."""
    return re.search(r"certificate|CERTIFICATE_VERIFY", str(said)) is not None


def untrusted(url: str, said: object) -> str:
    """A sentence about an untrusted server: its certificate, its issuer, and the setting to change."""
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or 443
    why = re.search(r"certificate verify failed: ([^(\n]{1,120})", str(said))
    reason = why[1].strip() if why else "its certificate is not believed"
    return f"{host}:{port} is not believed: {reason}{_described(host, port)}; {SETTING}"


def _described(host: str, port: int) -> str:
    """Subject and issuer of the certificate that a server shows; empty if that cannot be learnt. Sends it nothing."""
    try:
        pem = ssl.get_server_certificate((host, port), timeout=SECONDS)
        shown = ssl.create_default_context(cadata=pem)
        shown.check_hostname = False
        shown.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # it vouches for itself, to be read only
        with (
            socket.create_connection((host, port), timeout=SECONDS) as plain,
            shown.wrap_socket(plain, server_hostname=host) as secure,
        ):
            certificate: dict[str, Any] = secure.getpeercert() or {}
    except (OSError, ValueError):
        return ""
    return f" (subject {_name(certificate.get('subject', ()))}, issuer {_name(certificate.get('issuer', ()))})"


_SHORT = {"commonName": "CN", "organizationName": "O", "organizationalUnitName": "OU", "countryName": "C"}


def _name(parts: Iterable[Iterable[tuple[str, str]]]) -> str:
    said = ", ".join(f"{_SHORT.get(key, key)}={value}" for part in parts for key, value in part)
    return re.sub(r"[^\w=,.:@ /*-]", "?", said)[:200] or "without a name"
