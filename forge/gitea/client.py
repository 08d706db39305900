"""HTTP to one forge as one identity. Never repeats a write.

Paths are escaped, an answer that is not JSON is an error, errors have names, reads are retried when that can
help, nothing waits forever, no redirect is followed (a renamed repository answers 301 to a POST too, and
following makes it a GET), and neither the environment nor a cookie changes the identity.
"""

from __future__ import annotations

import json
import re
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from http.cookiejar import DefaultCookiePolicy
from json import dumps
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote, urlencode, urlsplit

import requests
from requests.adapters import HTTPAdapter, Retry
from requests.structures import CaseInsensitiveDict
from requests.utils import DEFAULT_CA_BUNDLE_PATH

from forge.gitea.errors import is_json, refusal, silence
from forge.gitea.json_value import JsonValue
from forge.protocol import Invalid, NotFound, Refused, Unavailable
from forge.tls import bundle, untrusted

SECONDS = 20.0
"""The longest silence of a forge that is waited out."""

ROWS = 50
"""Rows of a page: the default maximum of forges."""

MAX_PAGES = 1000
"""The most pages of one list; a forge with more does not end its list."""

MAX_TEXT = 32 * 1024 * 1024
"""Bytes of a diff that are read: strangers write diffs."""

_CONNECT_SECONDS = 5.0
_LONGEST_PAUSE = 5.0
_AGAIN = frozenset({429, 502, 503, 504})
_FORGEJO_VERSION = "/forgejo/version"
"""Stands for the only address that is asked beside `/api/v1`."""

_TOKEN = re.compile(r"[!-~]+")
_ASTRAY = re.compile(r"(?:^|/)(?:\.|%2e){0,2}(?:/|\Z)", re.IGNORECASE)
"""A part of a path that is empty or leads elsewhere."""

_COUNT = re.compile(r"[0-9]{1,18}")
_UNCOUNTED = 2**63


class _ReadRetry(Retry):
    """Two more tries of a read, with the pause that the forge asks for if it is a short one."""

    def increment(
        self,
        method: str | None = None,
        url: str | None = None,
        response: Any = None,
        error: Exception | None = None,
        _pool: Any = None,
        _stacktrace: TracebackType | None = None,
    ) -> Self:
        """Count a failure; raises when no attempts are left, or the pause is too long to wait here."""
        long = response is not None and (self.get_retry_after(response) or 0.0) > _LONGEST_PAUSE
        return Retry.increment(self.new(total=0) if long else self, method, url, response, error, _pool, _stacktrace)


class Client:
    """One identity on one forge: a token, or a login and its password."""

    def __init__(
        self, url: str, *, token: str = "", login: str = "", password: str = "", seconds: float = SECONDS
    ) -> None:
        self.api_url = f"{_address(url).rstrip('/')}/api/v1"
        if login:
            basic = b64encode(f"{login}:{password}".encode()).decode()
            authorization, self._secrets = f"Basic {basic}", [password, basic]
        else:
            authorization, self._secrets = f"token {_checked(token)}", [token]
        self._timeout = (min(seconds, _CONNECT_SECONDS), seconds)
        self._session = _session()
        self._verify = bundle() or True
        self._adapter = self._session.get_adapter(self.api_url)
        self._head = {name: str(said) for name, said in self._session.headers.items()} | {
            "Authorization": authorization
        }
        self.heard: Callable[[requests.Response], object] = _unheard
        """Told of each answer, of success or not."""

    def close(self) -> None:
        """Give back the connections; the client is of no use afterwards."""
        self._session.close()

    def get(self, endpoint: str, **params: str | int) -> JsonValue:
        """Ask for JSON."""
        return self._json("GET", endpoint, params=params)

    def has_forgejo_api(self) -> bool:
        """Whether the forge answers at `/api/forgejo/v1/version`, as each Forgejo does and no Gitea."""
        try:
            self._request("GET", _FORGEJO_VERSION)
        except (NotFound, Refused):
            return False
        return True

    def post(self, endpoint: str, **body: object) -> JsonValue:
        """Make something."""
        return self._json("POST", endpoint, json=body)

    def put(self, endpoint: str, **body: object) -> JsonValue:
        """Put something in its place."""
        return self._json("PUT", endpoint, json=body)

    def order(self, method: str, endpoint: str, **params: str | int) -> JsonValue:
        """Send one of the few writes whose arguments are query parameters."""
        return self._json(method, endpoint, params=params)

    def patch(self, endpoint: str, **body: object) -> JsonValue:
        """Change something."""
        return self._json("PATCH", endpoint, json=body)

    def delete(self, endpoint: str, **body: object) -> None:
        """Send a DELETE, with a body if needed."""
        self._json("DELETE", endpoint, **({"json": body} if body else {}))

    def pages(self, endpoint: str, **params: str | int) -> Iterator[list[JsonValue]]:
        """The pages of a list, by number and up to an empty one.

        A count is no end: forges cap `limit`, filter rows after counting them, and count rows
        that they hide.
        """
        for rows, _ in self._counted_pages(endpoint, params):
            yield rows

    def counted(self, endpoint: str, **params: str | int) -> Iterator[JsonValue]:
        """All rows of a list that the forge counts (`X-Total-Count`): it ends when so many have come.

        A count that is larger than the list, as rows may be hidden, or that is not told, ends at an empty page. Not
        for lists whose count is that of the page: timelines on Gitea 1.27.
        """
        seen = 0
        for rows, total in self._counted_pages(endpoint, params):
            yield from rows
            seen += len(rows)
            if seen >= total:
                return

    def _counted_pages(self, endpoint: str, params: Mapping[str, str | int]) -> Iterator[tuple[list[JsonValue], int]]:
        before: object = None
        for page in range(1, MAX_PAGES + 1):
            response = self._request("GET", endpoint, params={**params, "page": page, "limit": ROWS})
            answer = self._field(response, f"GET {endpoint}")
            rows = list(answer.each())
            if not rows:
                return
            if answer.value == before:
                raise Unavailable(f"GET {endpoint}: page {page} repeats the one before")
            total = response.headers.get("X-Total-Count", "")
            yield rows, int(total) if _COUNT.fullmatch(total) else _UNCOUNTED
            before = answer.value
        raise Unavailable(f"GET {endpoint}: more than {MAX_PAGES} pages")

    def rows(self, endpoint: str, **params: str | int) -> Iterator[JsonValue]:
        """All rows of a list that comes in pages."""
        for page in self.pages(endpoint, **params):
            yield from page

    def text(self, endpoint: str) -> str:
        """Request plain text; raises Invalid above MAX_TEXT bytes."""
        with self._request("GET", endpoint, {"Accept": "text/plain"}, stream=True) as response:
            if not response.headers.get("Content-Type", "").startswith("text/plain"):
                raise Unavailable(f"GET {endpoint}: no plain text", status=response.status_code)
            try:
                return _read(response, endpoint).decode("utf-8", "replace")
            except requests.RequestException as error:
                raise Unavailable(f"GET {endpoint}: {silence(self.api_url, error)}") from error

    def _json(self, method: str, endpoint: str, **what: Any) -> JsonValue:
        return self._field(self._request(method, endpoint, **what), f"{method} {endpoint}")

    def _field(self, response: requests.Response, asked: str) -> JsonValue:
        if response.status_code == 204 or (response.request.method != "GET" and not response.content):
            return JsonValue(None, asked, Unavailable)
        if not is_json(response.headers):
            raise Unavailable(f"{asked}: no JSON", status=response.status_code)
        try:
            return JsonValue(json.loads(response.content), asked, Unavailable)
        except (ValueError, RecursionError) as error:
            raise Unavailable(f"{asked}: no JSON", status=response.status_code) from error

    def _build_url(self, endpoint: str) -> str:
        if _ASTRAY.search(endpoint.removeprefix("/")):
            raise Invalid(f"no path of a forge: {quote(endpoint)}")
        if endpoint == _FORGEJO_VERSION:
            return f"{self.api_url.removesuffix('/v1')}/forgejo/v1/version"
        return f"{self.api_url}/{endpoint.removeprefix('/')}"

    def _request(
        self,
        method: str,
        endpoint: str,
        headers: Mapping[str, str] | None = None,
        *,
        stream: bool = False,
        **what: Any,
    ) -> requests.Response:
        """Ask with `params` or a `json` body; raises ForgeError for whatever is no answer of success."""
        asked, request = f"{method} {endpoint}", self._prepared(method, endpoint, **what)
        request.headers.update(headers or {})
        try:
            response = self._adapter.send(request, timeout=self._timeout, verify=self._verify)
            is_good = 200 <= response.status_code < 300
            if not (stream and is_good):
                response.content  # noqa: B018  reads it, and gives the connection back
        except requests.exceptions.SSLError as error:
            raise Unavailable(f"{asked}: {untrusted(self.api_url, error)}") from error
        except requests.RequestException as error:
            raise Unavailable(f"{asked}: {silence(self.api_url, error)}") from error
        self.heard(response)
        if not is_good:
            raise self._refusal(asked, response)
        return response

    def _prepared(
        self, method: str, endpoint: str, *, params: Mapping[str, str | int] | None = None, json: object = None
    ) -> requests.PreparedRequest:
        """A request as it is sent. `Session.request` makes it in 300 calls, mostly to merge what never differs here."""
        request = requests.PreparedRequest()
        request.method, request.url = method, self._build_url(endpoint)
        if params:
            request.url += f"?{urlencode(params)}"
        request.headers = CaseInsensitiveDict(self._head)
        if json is not None:
            request.body = dumps(json, allow_nan=False).encode()
            request.headers["Content-Type"] = "application/json"
        if method != "GET":
            request.headers["Content-Length"] = str(len(request.body or b""))
        return request

    def _refusal(self, asked: str, response: requests.Response) -> Exception:
        said = (response.status_code, response.headers, response.content)
        return refusal(asked, *said, secrets=self._secrets, now=datetime.now(UTC))


@lru_cache(maxsize=4096)
def route(*parts: str | int) -> str:
    """A path of the API; a part that would lead elsewhere raises Invalid."""
    words = [quote(str(part).encode("utf-8", "replace"), safe="") for part in parts]
    if not {"", ".", ".."}.isdisjoint(words):
        raise Invalid(f"no path of a forge: {'/'.join(words)}")
    return "/" + "/".join(words)


def _unheard(_: requests.Response) -> None:
    return


def public_authorities() -> Path:
    """The authorities that requests brings, in one PEM file."""
    return Path(DEFAULT_CA_BUNDLE_PATH)


def _session() -> requests.Session:
    session = requests.Session()
    session.trust_env = False  # no proxy, and no .netrc in the place of our token
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    retries = _ReadRetry(
        total=2,
        allowed_methods={"GET", "HEAD"},
        status_forcelist=_AGAIN,
        backoff_factor=0.2,
        backoff_jitter=0.1,
        raise_on_status=False,
    )
    for scheme in ("http://", "https://"):
        session.mount(scheme, HTTPAdapter(pool_connections=1, pool_maxsize=8, max_retries=retries))
    return session


def _read(response: requests.Response, endpoint: str) -> bytes:
    text = bytearray()
    for chunk in response.iter_content(65536):
        text += chunk
        if len(text) > MAX_TEXT:
            raise Invalid(f"GET {endpoint}: more than {MAX_TEXT} bytes")
    return bytes(text)


def _address(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname or "@" in parts.netloc or parts.query:
        raise ValueError("a forge's address is http(s)://host[:port][/path], without credentials")
    return url


def _checked(token: str) -> str:
    # A line end in a header makes requests print the whole header in its error.
    if not _TOKEN.fullmatch(token):
        raise ValueError("a token is one word of printable ASCII")
    return token
