"""Git over HTTP by `git http-backend`; its hooks call back over an inherited socket.

The hook program is one small script that hands its standard streams to this process and exits with
the answer: what a push may do is decided and recorded here, in the thread that serves it.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import IO

from flask import Request, Response

from forge.embedded import rules
from forge.embedded.git import ZERO, environment
from forge.embedded.identity import NOBODY, Identity, identify, usable
from forge.embedded.instance import ForgeInstance, Missing, Refusal, Renamed
from forge.embedded.rules import Access
from forge.embedded.services import pulls, pushes, repos
from forge.embedded.shapes import issues as shapes
from forge.embedded.state import Row

HOOKS = ("pre-receive", "post-receive")
SERVICES = ("git-upload-pack", "git-receive-pack")
_SCRIPT = """\
#!{python} -IS
# Gives the streams of a git hook to the forge, which holds the other end of this socket.
import os, socket, sys
with socket.socket(fileno=int(os.environ["FORGE_CHANNEL"])) as forge:
    seen = [os.environ.get(name, "") for name in ("GIT_OBJECT_DIRECTORY", "GIT_ALTERNATE_OBJECT_DIRECTORIES")]
    socket.send_fds(forge, ["\\0".join([os.path.basename(sys.argv[0]), *seen]).encode()], [0, 1, 2])
    sys.exit((forge.recv(1) or b"\\1")[0])
"""
_QUARANTINE = ("GIT_OBJECT_DIRECTORY", "GIT_ALTERNATE_OBJECT_DIRECTORIES")
_BACKEND = ("git", "http-backend")
_CHUNK = 64 * 1024


def install(root: Path) -> None:
    """Write the hook programs of all repositories."""
    folder = root / "hooks"
    folder.mkdir(parents=True, exist_ok=True)
    for name in HOOKS:
        (folder / name).write_text(_SCRIPT.format(python=sys.executable))
        (folder / name).chmod(0o700)


def serve(site: ForgeInstance, request: Request, owner: str, name: str, rest: str) -> Response:
    """Answer a git client."""
    service = request.args.get("service", "") if rest == "info/refs" else rest
    if service not in SERVICES:
        return Response("Not found", 404, mimetype="text/plain")
    try:
        repo, identity, granted = _admit(site, request, owner, name, service)
    except Renamed as moved:
        query = f"?{request.query_string.decode()}" if request.query_string else ""
        return Response(status=301, headers={"Location": f"{site.url}{moved.new}/{rest}{query}"})
    except Refusal as refusal:
        headers = {"WWW-Authenticate": 'Basic realm="Forge"'} if refusal.status == 401 else {}
        return Response(str(refusal), refusal.status, headers, mimetype="text/plain")
    env = _environment(site, request, repo, identity, rest)
    if service == "git-receive-pack" and rest != "info/refs":
        return _receive(PendingPush(site, repo, identity.user or {}, granted), request, env)
    return _stream(request, env)


def _admit(site: ForgeInstance, request: Request, owner: str, name: str, service: str) -> tuple[Row, Identity, Access]:
    """Admit accounts that may read; what may be pushed is checked in the pre-receive hook."""
    try:
        identity = identify(site, request.headers.get("Authorization", ""))
    except Refusal as refusal:
        raise Refusal(401, "Unauthorized") from refusal
    if not usable(identity):
        raise Refusal(403, "Your account is disabled.")
    pushing = service == "git-receive-pack"
    if pushing and identity == NOBODY:
        raise Refusal(401, "Unauthorized")
    try:
        repo = repos.get(site, owner, name.removesuffix(".git"))
    except Missing as missing:
        raise Refusal(404 if identity.user else 401, "Repository not found") from missing
    granted = rules.limited(rules.access(site, identity.user, repo), repo, identity.token)
    if not granted.reads(rules.CODE):
        raise Refusal(404 if identity.user else 401, "Repository not found")
    if not identity.allows("write" if pushing else "read", "repository") or (identity.public_only and repo["private"]):
        raise Refusal(403, "Forbidden")
    if pushing and repo["archived"]:
        raise Refusal(
            403, "This repo is archived. You can view files and clone it, but cannot push or open issues/pull-requests."
        )
    return repo, identity, granted


def _environment(site: ForgeInstance, request: Request, repo: Row, identity: Identity, rest: str) -> dict[str, str]:
    login = identity.user["login"] if identity.user else ""
    settings = {
        "core.hooksPath": str(site.root / "hooks"),
        "http.receivepack": "true",
        "uploadpack.allowAnySHA1InWant": "true",
        "uploadpack.allowFilter": "true",
    }
    env = environment(
        GIT_PROJECT_ROOT=str(site.root / "repositories"),
        GIT_HTTP_EXPORT_ALL="1",
        GIT_PROTOCOL=request.headers.get("Git-Protocol", ""),
        PATH_INFO=f"/{repo['id']}.git/{rest}",
        REQUEST_METHOD=request.method,
        QUERY_STRING=request.query_string.decode(),
        CONTENT_TYPE=request.headers.get("Content-Type", ""),
        HTTP_CONTENT_ENCODING=request.headers.get("Content-Encoding", ""),
        REMOTE_USER=login,
        REMOTE_ADDR=request.remote_addr or "",
        GIT_COMMITTER_NAME=login or "nobody",
        GIT_COMMITTER_EMAIL="forge@localhost",
    )
    first = int(env["GIT_CONFIG_COUNT"])
    for number, (key, value) in enumerate(settings.items(), first):
        env |= {f"GIT_CONFIG_KEY_{number}": key, f"GIT_CONFIG_VALUE_{number}": value}
    return env | {"GIT_CONFIG_COUNT": str(first + len(settings))}


def _body(request: Request) -> IO[bytes]:
    body = tempfile.TemporaryFile()  # noqa: SIM115 (closed by who runs git with it)
    shutil.copyfileobj(request.stream, body)
    body.seek(0)
    return body


def _stream(request: Request, env: dict[str, str]) -> Response:
    """Run git and stream its output."""
    with _body(request) as body:
        env["CONTENT_LENGTH"] = str(os.fstat(body.fileno()).st_size)
        process = subprocess.Popen(_BACKEND, stdin=body, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=env)
    out = process.stdout
    assert out is not None

    def end() -> None:
        out.close()
        process.kill()
        process.wait()

    status, headers = _headers(out)
    response = Response(iter(partial(out.read, _CHUNK), b""), status, headers)
    response.call_on_close(end)  # a generator's `finally` does not run where nobody began to read
    return response


def _headers(out: IO[bytes]) -> tuple[int, list[tuple[str, str]]]:
    status, headers = 200, []
    while line := out.readline().decode("latin-1").rstrip("\r\n"):
        key, _, value = line.partition(": ")
        if key.lower() == "status":
            status = int(value.split()[0])
        else:
            headers.append((key, value))
    return status, headers


@dataclass
class PendingPush:
    """One push that is under way."""

    site: ForgeInstance
    repo: Row
    actor: Row
    granted: Access
    prepared: list[int] = field(default_factory=list)

    def answer(self, hook: str, seen: list[str], stdin: IO[bytes], stderr: IO[bytes]) -> int:
        """Run a hook; answers its exit status."""
        moves = [
            (ref, old, new) for old, new, ref in (line.split(" ", 2) for line in stdin.read().decode().splitlines())
        ]
        text, status = self._allow(moves, seen) if hook == "pre-receive" else (self._record(moves), 0)
        stderr.write(text.encode())
        return status

    def _allow(self, moves: list[pushes.Move], seen: list[str]) -> tuple[str, int]:
        git = self.site.git(self.repo, dict(zip(_QUARANTINE, seen, strict=True)))
        for move in moves:
            if word := rules.push_refusal(self.site, self.repo, self.actor, self.granted, move=move, git=git):
                return self.site.flavour.push_refusal.format(word), 1
        self.site.moving(self.repo["id"]).acquire()
        self.prepared = pushes.prepare(self.site, self.actor, self.repo, moves)
        return "", 0

    def _record(self, moves: list[pushes.Move]) -> str:
        """Record the refs that moved; answers the message for the terminal."""
        refs = {ref for ref, _, _ in moves}
        moved = [key for key in self.prepared if (self.site.state.get("moves", key) or {})["ref"] in refs]
        pushes.record(self.site, moved)
        hints = (_hint(self.site, self.repo, ref) for ref, _, new in moves if new != ZERO)
        return "".join(hints)

    def end(self) -> None:
        """Abort the movements that git did not make."""
        pushes.abort(self.site, self.prepared)
        if self.prepared:
            self.site.moving(self.repo["id"]).release()


def _receive(push: PendingPush, request: Request, env: dict[str, str]) -> Response:
    """Run a push, answering its hooks."""
    ours, theirs = socket.socketpair()
    env["FORGE_CHANNEL"] = str(theirs.fileno())
    with ours, _body(request) as body, tempfile.TemporaryFile() as out:
        env["CONTENT_LENGTH"] = str(os.fstat(body.fileno()).st_size)
        with theirs:
            process = subprocess.Popen(
                _BACKEND,
                stdin=body,
                stdout=out,
                stderr=subprocess.DEVNULL,
                env=env,
                pass_fds=[theirs.fileno(), *push.site.kept],
            )
        try:
            _answer_hooks(push, ours)
        finally:
            process.wait()
            push.end()
        out.seek(0)
        status, headers = _headers(out)
        return Response(out.read(), status, headers)


def _answer_hooks(push: PendingPush, channel: socket.socket) -> None:
    while True:
        message, fds, _, _ = socket.recv_fds(channel, 4096, 3)
        if not message:
            return
        hook, *seen = message.decode().split("\0")
        with (
            os.fdopen(fds[0], "rb") as stdin,
            os.fdopen(fds[1], "wb", 0),
            os.fdopen(fds[2], "wb", 0) as stderr,
        ):
            status = push.answer(hook, seen, stdin, stderr)
        channel.send(bytes([status]))


def _hint(site: ForgeInstance, repo: Row, ref: str) -> str:
    """The hint at the terminal: the pull request of a pushed branch, or where to open one."""
    branch = ref.removeprefix("refs/heads/")
    if branch in {ref, repo["default_branch"]}:
        return ""
    if opened := pulls.of_head(site, repo, branch):
        return f"\nVisit the existing pull request:\n  {shapes.web(site, opened[0])}\n\n"
    link = f"{site.url}/{repo['full_name']}/compare/{repo['default_branch']}...{branch}"
    return f"\nCreate a new pull request for '{branch}':\n  {link}\n\n"
