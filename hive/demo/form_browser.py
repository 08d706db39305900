"""An operator at a browser, without the browser: fetches pages, fills their forms in, and sends them."""

from __future__ import annotations

import html
import http.cookiejar
import re
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass, field

_TOKEN = re.compile(r'name="_csrf" value="([^"]+)"')
_NUMBER = re.compile(r"/(?:issues|pulls)/(\d+)")


class NotPossible(Exception):
    """A page did not allow the action; the message is its text."""


@dataclass(slots=True)
class FormBrowser:
    """One signed-in person."""

    url: str
    login: str
    password: str = field(repr=False)
    _opener: urllib.request.OpenerDirector = field(init=False, repr=False)

    def __post_init__(self) -> None:
        jar = http.cookiejar.CookieJar()
        self._opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPCookieProcessor(jar)
        )

    def sign_in(self) -> None:
        """Sign in; raises NotPossible."""
        where, page = self._send("/user/login", user_name=self.login, password=self.password)
        if where.endswith("/user/login"):
            raise NotPossible(_shown(page))

    def file_issue(self, repo: str, title: str, body: str) -> int:
        """File an issue and return its number."""
        where, page = self._send(f"/{repo}/issues/new", title=title, content=body)
        number = _NUMBER.search(where)
        if number is None:
            raise NotPossible(_shown(page))
        return int(number[1])

    def merge(self, repo: str, number: int, head: str) -> bool:
        """Press merge on a pull request at a head; False while the page says that it is blocked."""
        where = f"/{repo}/pulls/{number}"
        _, page = self._open(where)
        if f'name="head_commit_id" value="{head}"' not in page:
            return False
        self._send(f"{where}/merge", form=where, do="merge", head_commit_id=head)
        return True

    def _send(self, path: str, *, form: str = "", **fields: str) -> tuple[str, str]:
        """Fill in the form of a page (`form` if it is on another one) and send it to `path`."""
        _, page = self._open(form or path)
        token = _TOKEN.search(page)
        if token is None:
            raise NotPossible(f"{path} has no form: {_shown(page)}")
        data = urllib.parse.urlencode({"_csrf": html.unescape(token[1]), **fields}).encode()
        return self._open(path, data)

    def _open(self, path: str, data: bytes | None = None) -> tuple[str, str]:
        try:
            with self._opener.open(self.url + path, data, timeout=60) as answer:
                return answer.geturl(), answer.read().decode("utf-8", "replace")
        except urllib.error.HTTPError as error:
            raise NotPossible(f"{path}: {error.code} {_shown(error.read().decode('utf-8', 'replace'))}") from error
        except urllib.error.URLError as error:
            raise NotPossible(f"{path}: {error.reason}") from error


def _shown(page: str) -> str:
    """The text of a page, shortened."""
    text = re.sub(r"<(script|style).*?</\1>|<[^>]+>", " ", page, flags=re.DOTALL)
    return " ".join(html.unescape(text).split())[:300]
