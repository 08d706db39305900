"""A stage on a forge, on which the recorded situations are made again; keeps the shape of all that was said.

Cases have the names that they have in the recordings. A request without a name only makes a situation.
"""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import time
from base64 import b64encode
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import requests

from tests.contract import table
from tests.contract.ear import Ear
from tests.contract.shape import Answer, answer, delivery

PASSWORD = f"Passw0rd-{secrets.token_hex(6)}"
BEARER = "Bearer of-a-hook"


@dataclass
class Story:
    """Who asks what, and what was said; `~` in a path is the repository `app`, `{org}` the organisation."""

    url: str
    flavour: str
    admin: str
    ear: Ear
    place: Path
    auth: dict[str, str]
    retry: float
    """Seconds that the forge may take for what it does in its own time."""
    tag: str = field(default_factory=lambda: f"t{secrets.token_hex(3)}")
    answers: dict[str, Answer] = field(default_factory=dict)
    deliveries: dict[str, Answer] = field(default_factory=dict)
    marker: str = ""
    """The hook whose test delivery tells that all before it have come."""
    kept: dict[str, Any] = field(default_factory=dict)
    """What one chapter leaves to the next."""
    http: requests.Session = field(default_factory=requests.Session)

    @property
    def org(self) -> str:
        """The organisation of the story."""
        return f"{self.tag}-hive"

    @property
    def forgejo(self) -> bool:
        """Whether this is a Forgejo."""
        return self.flavour.startswith("forgejo")

    def user(self, role: str) -> str:
        """What somebody is called."""
        return self.admin if role == "admin" else f"{self.tag}-{role}"

    def get(self, name: str, path: str, **more: Any) -> Any:
        """Ask."""
        return self.call(name, "GET", path, None, **more)

    def post(self, name: str, path: str, body: Any = None, **more: Any) -> Any:
        """Make."""
        return self.call(name, "POST", path, body, **more)

    def put(self, name: str, path: str, body: Any = None, **more: Any) -> Any:
        """Put."""
        return self.call(name, "PUT", path, body, **more)

    def patch(self, name: str, path: str, body: Any = None, **more: Any) -> Any:
        """Change."""
        return self.call(name, "PATCH", path, body, **more)

    def delete(self, name: str, path: str, body: Any = None, **more: Any) -> Any:
        """Take away."""
        return self.call(name, "DELETE", path, body, **more)

    def call(self, name: str, method: str, path: str, body: Any, *, by: str = "core", raw: str | None = None,
             headers: dict[str, str] | None = None, files: Any = None, **query: Any) -> Any:  # fmt: skip
        """One request, and what it causes; answers the body. Without a name it has to succeed."""
        mark = self.ear.mark() if method == "GET" or not self.caused(name) else self.flush()
        url = f"{self.url}/api/v1{path.replace('~', f'/repos/{self.org}/app', 1).replace('{org}', self.org)}"
        sent = {"Authorization": self.auth[by]} if self.auth[by] else {}
        data = raw if body is None else json.dumps(body)
        sent |= {"Content-Type": "application/json"} if data is not None else {}
        more = {"params": query, "files": files, "timeout": 60, "allow_redirects": False}
        got = self.http.request(method, url, data=data, headers=sent | (headers or {}), **more)
        said = got.json() if "json" in got.headers.get("Content-Type", "") and got.content else got.text
        if name:
            names = {f"{self.tag}-": "", self.tag: "", self.admin: "admin"}
            self.answers[name] = answer(got.status_code, got.headers, said or None, names)
            self.hear(name, mark)
        else:
            assert got.status_code < 400, f"{method} {path}: {got.status_code} {got.text[:300]}"
        return said

    def caused(self, name: str) -> list[str]:
        """The deliveries that a case is known to cause, as `kind.action of case`."""
        known = table.load(self.flavour, table.DELIVERIES)
        return [key for key in known if key.split(" of ")[1].split(" ")[0] == name]

    def hear(self, name: str, mark: int) -> None:
        """Wait for the deliveries that the recording says a case causes, and keep their shapes."""
        count: Counter[str] = Counter()
        for key in self.caused(name):
            event = key.partition(" of ")[0]
            arrival = self.ear.wait(event, mark, count[event], self.retry)
            count[event] += 1
            if arrival:
                self.deliveries[key] = delivery(arrival.headers, arrival.body)

    def flush(self) -> int:
        """Wait until all that was caused before has been delivered; gives the mark after it."""
        mark = self.ear.mark()
        assert self.http.post(self.marker, headers={"Authorization": self.auth["admin"]}, timeout=60).ok
        assert self.ear.wait("push", mark, 0, self.retry, hook="marker"), "the marker never came"
        return self.ear.mark()

    def until(self, true: Callable[[Any], object], path: str) -> Any:
        """Ask until the answer is as it should be, but not for ever; gives the last one."""
        end = time.monotonic() + self.retry
        while not true(got := self.get("", path)) and time.monotonic() < end:
            time.sleep(0.1)
        return got

    def branch(self, name: str, files: dict[str, str], *, by: str = "core", base: str = "main", **more: Any) -> str:
        """A new branch with files that are new or changed, in one commit; gives its tip."""
        rows = []
        for path, text in files.items():
            held = self.get("x", f"~/contents/{quote(path)}", ref=base)
            old = {"operation": "update", "sha": held["sha"]} if "sha" in held else {"operation": "create"}
            rows.append({"path": path, "content": b64(text)} | old)
        body = {"branch": base, "new_branch": name, "message": more.get("message") or f"change {name}", "files": rows}
        return str(self.post("", "~/contents", body, by=by)["commit"]["sha"])

    def pull(self, name: str, files: dict[str, str] | None = None, **more: Any) -> tuple[int, str]:
        """A pull request from a branch of its own, ready to be merged if it can be; gives its number and head."""
        sha = self.branch(name, files or {f"{name}.txt": f"{name}\n"}, message=more.get("message"))
        body = {"title": name, "head": name, "base": "main", "body": more.get("body", "")}
        number = int(self.post("", "~/pulls", body)["number"])
        self.ready(number)
        return number, sha

    def ready(self, number: int) -> Any:
        """Wait until a pull request was checked; a draft is never mergeable."""
        return self.until(lambda pull: pull["mergeable"] or pull["draft"], f"~/pulls/{number}")

    def write(self, path: str, text: str, *, branch: str = "main", by: str = "core", repo: str = "~") -> str:
        """Commit a file; gives the commit."""
        at = f"{repo}/contents/{quote(path)}"
        held = self.get("x", at, ref=branch, by=by)
        body = {"content": b64(text), "message": f"change {path}", "branch": branch}
        made = self.put("", at, body | {"sha": held["sha"]}, by=by) if "sha" in held else self.post("", at, body, by=by)
        return str(made["commit"]["sha"])

    def git(self, name: str, *words: str, by: str = "core", cwd: Path | None = None) -> str:
        """One git command with somebody's credentials, and what it causes; gives what it prints."""
        mark = self.flush() if self.caused(name) else 0
        kind, _, word = self.auth[by].partition(" ")
        basic = word if kind == "Basic" else b64(f"{self.user(by)}:{word}")
        env = {"PATH": os.environ["PATH"], "HOME": os.devnull, "GIT_CONFIG_GLOBAL": os.devnull, "LC_ALL": "C"}
        env |= {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "http.extraHeader", "GIT_TERMINAL_PROMPT": "0"}
        env |= {"GIT_CONFIG_VALUE_0": f"Authorization: Basic {basic}"}
        for part in ("AUTHOR", "COMMITTER"):
            env |= {f"GIT_{part}_NAME": by, f"GIT_{part}_EMAIL": f"{self.user(by)}@forge.example"}
        done = subprocess.run(
            ["git", *words], cwd=cwd or self.place, env=env, capture_output=True, text=True, timeout=60
        )
        assert done.returncode == 0, f"git {' '.join(words)}: {done.stderr}"
        self.hear(name, mark)
        return done.stdout

    def clone(self, by: str, repo: str = "") -> Path:
        """A fresh clone."""
        into = self.place / f"{by}-{len(list(self.place.iterdir()))}"
        self.git("", "clone", "-q", f"{self.url}/{repo or f'{self.org}/app'}.git", str(into), by=by)
        return into

    def commit(self, work: Path, files: dict[str, str], *words: str) -> str:
        """Commit files in a clone; gives the commit."""
        for path, text in files.items():
            (work / path).write_text(text)
        self.git("", "add", "-A", cwd=work)
        self.git("", "commit", "-q", *words, "-m", f"change {' '.join(files)}", cwd=work)
        return self.git("", "rev-parse", "HEAD", cwd=work).strip()


def b64(text: str) -> str:
    """Text as the contents API wants it."""
    return b64encode(text.encode()).decode()


def basic(login: str, password: str) -> str:
    """What a password is sent as."""
    return f"Basic {b64(f'{login}:{password}')}"
