"""The transport against a server with every fault."""

from __future__ import annotations

import threading
from base64 import b64decode
from typing import TYPE_CHECKING

import pytest

from forge.gitea.admin import GiteaAdmin
from forge.gitea.client import MAX_TEXT, Client, route
from forge.gitea.reader import GiteaReader
from forge.models import Ref, Repo
from forge.protocol import Conflict, ForgeError, Invalid, NotFound, Refused, Unavailable

if TYPE_CHECKING:
    from tests.gitea.conftest import Wire

TOKEN = "0123456789abcdef0123456789abcdef01234567"
HTML = b"<!DOCTYPE html>\n<html><body>back in a minute</body></html>\n"
PULL = Ref.parse("work:acme/app#3")


def test_a_question(wire: Wire, client: Client) -> None:
    """A question carries the token in a header, and nowhere else."""
    wire.say({"id": 7})
    assert client.get("/user", page=1)["id"].number() == 7
    asked = wire.asked[0]
    assert (asked.method, asked.path, asked.query) == ("GET", "/api/v1/user", {"page": "1"})
    assert asked.headers["Authorization"] == f"token {TOKEN}"


def test_a_password(wire: Wire, admin: GiteaAdmin) -> None:
    """A site admin asks with a login and a password, in whatever letters."""
    wire.say({"id": 7, "login": "iris"})
    admin.ensure_user("iris", password="unused", email="iris@forge.example")
    assert b64decode(wire.asked[0].headers["Authorization"].removeprefix("Basic ")).decode() == "root:pass wörd"


def test_the_environment_has_no_say(wire: Wire, client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """No proxy and no cookie of an earlier answer comes between an identity and its forge."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("NO_PROXY", "")
    wire.say({}, Set_Cookie="i_like_gitea=mallory; Path=/")
    client.get("/version")
    client.get("/version")
    assert "Cookie" not in wire.asked[1].headers


@pytest.mark.parametrize(
    ("status", "message", "error"),
    [
        (400, "bad", Invalid),
        (401, "no", Refused),
        (403, "token does not have at least one of required scope(s)", Refused),
        (404, "The target couldn't be found.", NotFound),
        (405, "Please try again later", Conflict),
        (405, "User not allowed to merge PR", Refused),
        (405, "", Refused),
        (409, "head out of date", Conflict),
        (410, "gone", NotFound),
        (412, "issue is blocked", Conflict),
        (413, "quota exceeded", Refused),
        (418, "teapot", Invalid),
        (422, "[Title]: Required", Invalid),
        (423, "archived", Conflict),
        (429, "slow down", Unavailable),
        (500, "", Unavailable),
        (502, "", Unavailable),
        (600, "", Unavailable),
    ],
)
def test_every_refusal(wire: Wire, client: Client, status: int, message: str, error: type[ForgeError]) -> None:
    """Each way to say no is one kind of error, with the forge's words."""
    wire.say({"message": message, "url": "http://forge.example/api/swagger"}, status)
    with pytest.raises(ForgeError) as caught:
        client.post("/repos/acme/app/issues", title="x")
    assert (type(caught.value), caught.value.status) == (error, status)
    said = "" if status == 401 else message
    assert str(caught.value) == f"POST /repos/acme/app/issues: {status} {said}".rstrip()
    assert len(wire.asked) == 1


def test_a_token_is_never_repeated(wire: Wire, client: Client) -> None:
    """A 401 that repeats the token, as Forgejo 17's does, leaves no trace of it; nor does any other answer."""
    wire.say({"message": f"access token does not exist [sha: {TOKEN}]"}, 401)
    wire.say({"message": f"line one\r\nof {TOKEN}\x1b[31m " + "x" * 1000}, 403)
    for _ in range(2):
        with pytest.raises(Refused) as caught:
            client.get("/user")
        assert TOKEN not in str(caught.value)
        assert str(caught.value).isprintable()
        assert len(str(caught.value)) < 400
    assert "of [redacted]" in str(caught.value)


def test_a_password_is_never_repeated(wire: Wire, admin: GiteaAdmin) -> None:
    """Neither a password nor its header is in an error."""
    wire.say({"message": f"pass wörd is wrong, so is {'cm9vdDpwYXNzIHfDtnJk'}"}, 403)
    with pytest.raises(Refused, match=r"403 \[redacted\] is wrong, so is \[redacted\]"):
        admin.ensure_org("acme")


@pytest.mark.parametrize("body", [HTML, b"[]", b'"text"', b"{", b'{"message": 5}', b"[" * 100_000])
def test_refusals_without_words(wire: Wire, client: Client, body: bytes) -> None:
    """An error whose body is a page or nonsense is still the error of its status."""
    wire.say(body, 404, kind="text/html" if body is HTML else "application/json")
    with pytest.raises(NotFound, match=r"^GET /user: 404$"):
        client.get("/user")


@pytest.mark.parametrize("method", ["get", "post", "put", "patch"])
@pytest.mark.parametrize(("body", "kind"), [(HTML, "text/html; charset=utf-8"), (b'{"id": 7', "application/json")])
def test_a_page_is_no_answer(wire: Wire, client: Client, method: str, body: bytes, kind: str) -> None:
    """A 200 that is no JSON concludes nothing: neither an empty list nor a deed that was done."""
    wire.say(body, kind=kind)
    with pytest.raises(Unavailable, match="no JSON"):
        getattr(client, method)("/user")


def test_an_empty_answer(wire: Wire, client: Client) -> None:
    """Nothing is an answer to a deed, and to a question only as 204."""
    wire.say(b"").say(b"").say(b"", 204)
    client.post("/repos/acme/app/pulls/3/merge")
    with pytest.raises(Unavailable, match="no JSON"):
        client.get("/repos/acme/app/labels")
    assert not client.get("/repos/acme/app/collaborators/iris").present


def test_missing_fields(wire: Wire, reader: GiteaReader) -> None:
    """JSON of another form than a forge's concludes nothing, and says where it is odd."""
    wire.say({"status": "ok"})
    with pytest.raises(Unavailable, match=r"^GET /users/iris\.id is no number$"):
        reader.user("iris")


def test_reads_are_repeated(wire: Wire, client: Client) -> None:
    """A read is tried again when a gateway stumbles."""
    wire.say(HTML, 502, kind="text/html").say({}, 503, Retry_After="0").say({"id": 7})
    assert client.get("/user")["id"].number() == 7
    assert len(wire.asked) == 3


def test_reads_are_repeated_twice(wire: Wire, client: Client) -> None:
    """A read that fails three times has failed."""
    wire.say(HTML, 502, kind="text/html")
    with pytest.raises(Unavailable, match=r"GET /user: 502$"):
        client.get("/user")
    assert len(wire.asked) == 3


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
def test_writes_are_not_repeated(wire: Wire, client: Client, method: str) -> None:
    """A write is never repeated: it may have been done."""
    wire.say({}, 503, Retry_After="1")
    with pytest.raises(Unavailable) as caught:
        getattr(client, method)("/repos/acme/app/issues")
    assert len(wire.asked) == 1
    assert caught.value.retry_after == 1.0


def test_long_pauses_are_the_callers(wire: Wire, client: Client) -> None:
    """A forge that asks for a minute's pause is not asked again meanwhile; its wish is handed on."""
    wire.say({}, 429, Retry_After="60")
    with pytest.raises(Unavailable) as caught:
        client.get("/user")
    assert (caught.value.retry_after, len(wire.asked)) == (60.0, 1)


def test_pauses_that_are_none(wire: Wire, client: Client) -> None:
    """A pause that is no time is none."""
    wire.say({}, 503, Retry_After="soon")
    with pytest.raises(Unavailable) as caught:
        client.post("/repos/acme/app/issues")
    assert caught.value.retry_after == 0.0
    with pytest.raises(Unavailable):
        client.get("/user")


def test_silence(wire: Wire) -> None:
    """A forge that does not answer is given up; a deed that it was asked for is not repeated."""
    wire.say_nothing()
    client = Client(wire.url, token=TOKEN, seconds=0.05)
    with pytest.raises(Unavailable, match=r"^POST /user/repos: http://\S+ takes too long to answer$"):
        client.post("/user/repos")
    assert len(wire.asked) == 1
    with pytest.raises(Unavailable, match=r"^GET /user: http://\S+ takes too long to answer$"):
        client.get("/user")
    client.close()


def test_nobody_there(wire: Wire) -> None:
    """A forge that is not there is not there yet."""
    client = Client("http://127.0.0.1:1", token=TOKEN)
    with pytest.raises(
        Unavailable, match=r"^POST /user/repos: http://127.0.0.1:1 does not answer: Connection refused$"
    ):
        client.post("/user/repos")
    client.close()
    nowhere = Client("http://forge.invalid", token=TOKEN)
    with pytest.raises(Unavailable, match=r"^GET /user: http://forge.invalid does not answer: [A-Z][\w ]+$"):
        nowhere.get("/user")
    nowhere.close()


def test_half_an_answer(wire: Wire, client: Client, reader: GiteaReader) -> None:
    """An answer that breaks off concludes nothing."""
    wire.say({"id": 7}, cut=10)
    with pytest.raises(Unavailable):
        client.post("/user/repos")
    assert len(wire.asked) == 1
    wire.anew().say(b"diff --git a/x b/x", kind="text/plain", cut=10)
    with pytest.raises(Unavailable):
        reader.diff(PULL)


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_redirects(wire: Wire, client: Client, status: int) -> None:
    """No redirect is followed: a renamed repository is not the one that was asked for."""
    wire.say(b"", status, Location="/api/v1/repos/acme/other")
    for ask in (client.get, client.post):
        with pytest.raises(NotFound, match=r"moved to /api/v1/repos/acme/other$"):
            ask("/repos/acme/app")
    assert {asked.path for asked in wire.asked} == {"/api/v1/repos/acme/app"}


def test_another_repository(wire: Wire, reader: GiteaReader) -> None:
    """A forge that answers with a repository of another name has not found the one that was asked for."""
    repo = {"id": 3, "full_name": "acme/other"}
    wire.say(repo).say({**repo, "full_name": "Acme/App"})
    with pytest.raises(NotFound, match="work:acme/app is work:acme/other now"):
        reader.repository(Repo.parse("work:acme/app"))
    assert reader.repository(Repo.parse("work:acme/app")).id == 3


def test_pages_to_the_end(wire: Wire, client: Client) -> None:
    """A list ends with an empty page, not with a short one, and null is an empty page."""
    wire.say([1, 2], X_Total_Count="2").say([3]).say(None)
    assert [row.number() for row in client.rows("/orgs/acme/repos")] == [1, 2, 3]
    assert [asked.query["page"] for asked in wire.asked] == ["1", "2", "3"]


def test_a_list_that_repeats(wire: Wire, client: Client) -> None:
    """A forge that does not know pages is found out at the second one."""
    wire.say([1, 2])
    with pytest.raises(Unavailable, match="page 2 repeats"):
        list(client.rows("/orgs/acme/repos"))
    assert len(wire.asked) == 2


def test_a_list_without_end(wire: Wire, client: Client) -> None:
    """A list that does not end is given up."""
    for page in range(1001):
        wire.say([page])
    with pytest.raises(Unavailable, match="more than 1000 pages"):
        list(client.rows("/orgs/acme/repos"))


def test_what_is_no_list(wire: Wire, client: Client) -> None:
    """An object where a list should be is not an empty list."""
    wire.say({"ok": True})
    with pytest.raises(Unavailable, match="is no list"):
        list(client.rows("/orgs/acme/repos"))


def test_diffs_are_text(wire: Wire, reader: GiteaReader) -> None:
    """A diff is plain text in whatever bytes; a page in its place is none, and a refusal is one."""
    wire.say("dïff \udcff".encode("utf-8", "surrogatepass"), kind="text/plain; charset=utf-8")
    wire.say(HTML, kind="text/html").say({"message": "x"}, 404)
    assert reader.diff(PULL).startswith("dïff ")
    with pytest.raises(Unavailable, match="no plain text"):
        reader.diff(PULL)
    with pytest.raises(NotFound):
        reader.diff(PULL)
    assert wire.heard()[0] == "GET /repos/acme/app/pulls/3.diff"


def test_diffs_are_bounded(wire: Wire, reader: GiteaReader) -> None:
    """A diff that is too large is not read to its end."""
    wire.say(b"+" * (MAX_TEXT + 1), kind="text/plain")
    with pytest.raises(Invalid, match="more than"):
        reader.diff(PULL)


@pytest.mark.parametrize("part", ["", ".", ".."])
def test_parts_that_lead_elsewhere(part: str) -> None:
    """A path is made of names only."""
    with pytest.raises(Invalid, match="no path"):
        route("repos", part, "app")


def test_parts_are_escaped() -> None:
    """Whatever a part holds, it stays one part."""
    assert route("a/b", "c?d#e", "%2e%2e", 5, "\udc00") == "/a%2Fb/c%3Fd%23e/%252e%252e/5/%3F"


@pytest.mark.parametrize("endpoint", ["/repos/acme/../../admin", "/repos/acme/%2e%2e/x", "//host/x", "/repos//x", "/"])
def test_paths_that_lead_elsewhere(wire: Wire, client: Client, endpoint: str) -> None:
    """A path that would lead elsewhere is not asked for, whoever made it."""
    wire.say({})
    with pytest.raises(Invalid, match="no path"):
        client.get(endpoint)
    assert not wire.asked


@pytest.mark.parametrize("token", ["", "two words", "line\n", "ключ"])
def test_tokens_that_are_none(token: str) -> None:
    """A token that no header can carry is refused before an error could print it."""
    with pytest.raises(ValueError, match="one word") as caught:
        Client("http://forge.example", token=token)
    assert not token or token not in str(caught.value)


@pytest.mark.parametrize(
    "url", ["forge.example", "ftp://forge.example", "http://", "http://me:pw@forge.example", "http://x/?q=1"]
)
def test_addresses_that_are_none(url: str) -> None:
    """A forge's address is http or https, and holds no credentials."""
    with pytest.raises(ValueError, match="without credentials") as caught:
        Client(url, token=TOKEN)
    assert "pw" not in str(caught.value)


def test_below_a_path(wire: Wire) -> None:
    """A forge may live below a path."""
    wire.say({"version": "1.26.0"})
    with GiteaReader(name="work", url=f"{wire.url}/git/", token=TOKEN) as reader:
        reader.capabilities()
    assert wire.asked[0].path == "/git/api/v1/version"


def test_many_threads(wire: Wire, client: Client) -> None:
    """Threads share a client."""
    wire.say({"id": 7})
    threads = [threading.Thread(target=client.get, args=("/user",)) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(wire.asked) == 16


def test_connections_are_kept(wire: Wire, client: Client) -> None:
    """Questions one after another share a connection."""
    wire.say({"id": 7}).say({}, 404).say([])
    client.get("/user")
    with pytest.raises(NotFound):
        client.get("/users/nobody")
    client.post("/user/repos")
    assert len({asked.port for asked in wire.asked}) == 1
