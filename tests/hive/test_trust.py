"""An authority of one's own is made known once, and believed by everything; without it everything says what is missing."""

from __future__ import annotations

import io
import os
import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from forge.gitea.client import public_authorities
from forge.gitea.reader import GiteaReader
from forge.models import FileEdit
from forge.protocol import Unavailable
from forge.tls import VARIABLE
from hive.gateway.git_proxy import GitRequest, proxy
from hive.gateway.llm import Model, ModelRequest
from hive.gateway.model_errors import ModelFailed
from hive.git_mirror.mirror import GitInterrupted, Login, Mirror
from hive.instance.instance import Instance, StartupError
from hive.instance.opening import open_instance
from tests.hive.conftest import APP, HiveEnv

WORDS = ("CN=forge of the hive", "CN=authority of the hive", "ca_file")


class Wrapped:
    """The TLS side of a forge."""

    def __init__(self, url: str, certificate: Path, key: Path) -> None:
        parts = urlsplit(url)
        self._behind = (parts.hostname or "", parts.port or 80)
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(certificate, key)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"https://127.0.0.1:{self._listener.getsockname()[1]}"
        self._sockets: list[socket.socket] = [self._listener]
        self._threads: list[threading.Thread] = []
        self._start(self._serve)

    def close(self) -> None:
        """End all that goes through it."""
        for each in self._sockets:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        for each in self._sockets:
            each.close()

    def _start(self, work: Callable[..., None], *facts: socket.socket) -> None:
        thread = threading.Thread(target=work, args=facts)
        self._threads.append(thread)
        thread.start()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                self._sockets.append(client)
                self._start(self._talk, client)

    def _talk(self, client: socket.socket) -> None:
        with suppress(OSError):
            secure = self._context.wrap_socket(client, server_side=True)
            self._sockets.append(secure)
            forge = socket.create_connection(self._behind)
            self._sockets.append(forge)
            self._start(self._pass, secure, forge)
            self._pass(forge, secure)

    def _pass(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while chunk := source.recv(1 << 16):
                target.sendall(chunk)
        with suppress(OSError):
            target.shutdown(socket.SHUT_RDWR)


@dataclass(frozen=True)
class Place:
    """A forge behind TLS, and the authority that vouches for it."""

    hive_env: HiveEnv
    url: str
    authority: Path

    def instance(self) -> Instance:
        """The village's house, told of the authority."""
        return open_instance(replace(self.hive_env.instance.settings, ca_file=str(self.authority)))

    def ask(self) -> str:
        """Ask the forge's REST."""
        token = self.hive_env.instance.secret_store.token(APP.forge, "core")
        with GiteaReader(name=APP.forge, url=self.url, token=token) as reader:
            return reader.repository(APP).repo.path

    def fetch(self, path: Path) -> str:
        """Fetch from the forge with git."""
        login = Login("core", self.hive_env.instance.secret_store.token(APP.forge, "core"))
        return Mirror(path, f"{self.url}/{APP.path}.git", login).fetch("refs/heads/trunk", "trunk")

    def broker(self) -> int:
        """Let a container's git ask the forge."""
        login = Login("core", self.hive_env.instance.secret_store.token(APP.forge, "core"))
        asked = GitRequest("GET", APP.path, "info/refs", "service=git-upload-pack", {}, io.BytesIO(), None)
        passed = proxy(self.url, login, asked)
        list(passed.chunks)
        return passed.status

    def think(self) -> ModelFailed:
        """Ask a model at this address: there is none, so the best that can come is that none answers."""
        model = Model(url=self.url)
        request = {"model": "m", "max_tokens": 1, "messages": [{"role": "user", "content": "x"}]}
        try:
            with pytest.raises(ModelFailed) as failed, model.ask(ModelRequest(request), "k"):
                pass
        finally:
            model.close()
        return failed.value


@pytest.fixture
def place(hive_env: HiveEnv, tmp_path: Path) -> Iterator[Place]:
    """A village whose forge is also behind TLS, in a process that believes what it did before afterwards."""
    before = os.environ.pop(VARIABLE, None)
    folder = tmp_path / "pki"
    folder.mkdir()
    hive_env.mara.commit(APP, [FileEdit("a", b"a\n")], message="a", branch="trunk", start="main")
    (folder / "san").write_text("subjectAltName=IP:127.0.0.1\n")
    for words in (
        "req -x509 -newkey rsa:2048 -nodes -days 2 -keyout ca.key -out ca.pem -subj",
        "req -newkey rsa:2048 -nodes -keyout forge.key -out forge.csr -subj",
    ):
        name = "/CN=authority of the hive" if "x509" in words else "/CN=forge of the hive"
        subprocess.run(["openssl", *words.split(), name], cwd=folder, check=True, capture_output=True)
    sign = "x509 -req -in forge.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile san -out forge.pem"
    subprocess.run(["openssl", *sign.split()], cwd=folder, check=True, capture_output=True)
    wrapped = Wrapped(hive_env.forge.url, folder / "forge.pem", folder / "forge.key")
    yield Place(hive_env, wrapped.url, folder / "ca.pem")
    wrapped.close()
    os.environ.pop(VARIABLE, None)
    if before is not None:
        os.environ[VARIABLE] = before


def test_one_setting_is_believed_by_all(place: Place, tmp_path: Path) -> None:
    """REST, git of the host, git of containers and the model's client believe the authority that the settings name."""
    place.instance()
    assert place.ask() == APP.path
    assert len(place.fetch(tmp_path / "m.git")) == 40
    assert place.broker() == 200
    assert "believed" not in str(place.think())
    whole = Path(os.environ[VARIABLE]).read_text()
    assert place.authority.read_text().strip() in whole
    assert public_authorities().read_text() in whole, "the public ones are believed no more"
    assert Path(os.environ[VARIABLE]).stat().st_mode & 0o777 == 0o600


def test_what_is_missing_is_said(place: Place, tmp_path: Path) -> None:
    """Without it everything names the certificate, who made it, and the setting."""
    with pytest.raises(Unavailable) as rest:
        place.ask()
    with pytest.raises(GitInterrupted) as git:
        place.fetch(tmp_path / "m.git")
    with pytest.raises(OSError, match="does not answer") as broker:
        place.broker()
    for said in (rest.value, git.value, broker.value, place.think()):
        for word in WORDS:
            assert word in str(said), f"{word} is missing in {said}"


@pytest.mark.parametrize("content", [None, b"", b"no certificate", b"\xff\xfe"])
def test_what_is_no_authority_is_refused(place: Place, tmp_path: Path, content: bytes | None) -> None:
    """A file that is not there, or holds no certificate, is named before anything begins."""
    wrong = tmp_path / "wrong.pem"
    if content is not None:
        wrong.write_bytes(content)
    with pytest.raises(StartupError, match=r"ca_file.*wrong\.pem"):
        open_instance(replace(place.hive_env.instance.settings, ca_file=str(wrong)))
