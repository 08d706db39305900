"""Faults on demand: each of them, met by a real client and a real receiver."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest
import requests

from forge.embedded import EmbeddedForge
from forge.embedded.faults import ANSWERS, DELIVERIES, Fault, Faults, InvalidRule
from forge.webhook import RejectedDelivery, verify_any_case
from tests.embedded.conftest import b64, make_env, until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.embedded.conftest import ApiEnv, Arrival, Receiver

SECRET = b"a hook's secret"
ISSUES = "/api/v1/repos/*/issues"


def filed(env: ApiEnv, *titles: str) -> None:
    for title in titles:
        env.core.post("~/issues", {"title": title})


def titles(receiver: Receiver, count: int) -> list[str]:
    """The titles of that many deliveries, and no more."""
    until(lambda: len(receiver.arrivals) >= count)
    heard, receiver.arrivals[:] = list(receiver.arrivals), []
    return [arrival.json["issue"]["title"] for arrival in heard]


def uuid(arrival: Arrival) -> str:
    return arrival.headers["X-Forgejo-Delivery"]


# Deliveries
def test_a_dropped_delivery_never_comes(env: ApiEnv, receiver: Receiver) -> None:
    """As many as the rule says are never sent, and after as many as it says."""
    env.hook(receiver, "issues")
    env.forge.faults.add("drop", event="issues", times=2, after=1)
    filed(env, "a", "b", "c", "d")
    assert titles(receiver, 2) == ["a", "d"]
    (rule,) = env.forge.faults.listed()
    assert (rule["seen"], rule["acted"]) == (4, 2)


def test_a_duplicate_has_the_same_uuid(env: ApiEnv, receiver: Receiver) -> None:
    """Sent twice, a delivery is the same in all."""
    env.hook(receiver, "issues")
    env.forge.faults.add("duplicate")
    filed(env, "a")
    one, two = receiver.listens_to_bots("issues.opened", "issues.opened")
    assert (one.body, uuid(one)) == (two.body, uuid(two))


def test_a_replay_has_another_uuid(env: ApiEnv, receiver: Receiver) -> None:
    """Sent again, a delivery has the same bytes under a new uuid."""
    env.hook(receiver, "issues")
    env.forge.faults.add("replay")
    filed(env, "a")
    one, two = receiver.listens_to_bots("issues.opened", "issues.opened")
    assert one.body == two.body
    assert uuid(one) != uuid(two)


def test_a_late_delivery_is_overtaken(env: ApiEnv, receiver: Receiver) -> None:
    """A delayed delivery comes after those that were not."""
    env.hook(receiver, "issues")
    env.forge.faults.add("delay", seconds=0.5)
    filed(env, "a", "b", "c")
    assert titles(receiver, 3) == ["b", "c", "a"]


def test_two_change_places(env: ApiEnv, receiver: Receiver) -> None:
    """A reordered delivery comes right after the next one, however long that takes."""
    env.hook(receiver, "issues")
    env.forge.faults.add("reorder", seconds=3600)
    filed(env, "a", "b", "c")
    assert titles(receiver, 3) == ["b", "a", "c"]


def test_a_corrupt_delivery_is_not_believed(env: ApiEnv, receiver: Receiver) -> None:
    """A flipped byte breaks the signature of this delivery, and of no other."""
    env.hook(receiver, "issues")
    env.forge.faults.add("corrupt")
    filed(env, "a", "b")
    until(lambda: len(receiver.arrivals) == 2)
    bad, good = receiver.arrivals
    with pytest.raises(RejectedDelivery):
        verify_any_case("forgejo", bad.headers, bad.body, [SECRET])
    assert verify_any_case("forgejo", good.headers, good.body, [SECRET])


def test_a_plan_is_its_seed(env: ApiEnv, receiver: Receiver) -> None:
    """The same seed takes the same deliveries; another one takes others."""
    env.hook(receiver, "issues")
    letters = [chr(ord("a") + n) for n in range(12)]
    taken = {}
    for turn, seed in enumerate((1, 1, 2)):
        env.forge.faults.clear()
        env.forge.faults.plan(seed, "drop", one_in=2)
        filed(env, *letters)
        env.forge.faults.clear()
        filed(env, "end")
        until(lambda: any(arrival.json["issue"]["title"] == "end" for arrival in receiver.arrivals))
        taken[turn] = titles(receiver, 1)
    assert taken[0] == taken[1] != taken[2]
    assert 1 < len(taken[0]) < 13


# Answers
def test_too_many_requests(env: ApiEnv) -> None:
    """429 says when to come again, and the deed is not done."""
    env.forge.faults.add("429", method="POST", path=ISSUES, seconds=7)
    answer = env.core.call("POST", "~/issues", {"title": "a"})
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "7")
    assert env.core.get("~/issues") == []
    assert env.core.call("POST", "~/issues", {"title": "a"}).status_code == 201


@pytest.mark.parametrize(("kind", "status"), [("502", 502), ("html", 200)])
def test_a_page_for_an_answer(env: ApiEnv, kind: str, status: int) -> None:
    """A gateway's error and a page with 200 are both no JSON, and nothing is done."""
    env.forge.faults.add(kind, path=ISSUES)
    answer = env.core.call("POST", "~/issues", {"title": "a"})
    assert (answer.status_code, answer.headers["Content-Type"]) == (status, "text/html; charset=utf-8")
    with pytest.raises(requests.JSONDecodeError):
        answer.json()
    assert env.core.get("~/issues") == []


def test_no_answer(env: ApiEnv) -> None:
    """A request that hangs ends by the client's patience, or when the forge ends."""
    env.forge.faults.add("hang", path=ISSUES, seconds=3600)
    url = f"{env.forge.url}/api/v1/repos/acme/app/issues"
    with pytest.raises(requests.Timeout):
        requests.get(url, timeout=0.3)
    assert env.core.get("~/issues") == []
    env.forge.stop()


def test_a_cut_connection(env: ApiEnv) -> None:
    """The connection closes before a byte of the answer, and the deed is not done."""
    env.forge.faults.add("cut", method="POST")
    with pytest.raises(requests.ConnectionError):
        env.core.call("POST", "~/issues", {"title": "a"})
    assert env.core.get("~/issues") == []


def test_half_an_answer(env: ApiEnv) -> None:
    """The answer ends in the middle, and the deed is done."""
    env.forge.faults.add("half", method="POST")
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        env.core.call("POST", "~/issues", {"title": "a"})
    assert [issue["title"] for issue in env.core.get("~/issues")] == ["a"]


def test_done_all_the_same(env: ApiEnv, receiver: Receiver) -> None:
    """The answer is 500, and the deed is done and told."""
    env.hook(receiver, "issues")
    env.forge.faults.add("done", method="POST")
    assert env.core.call("POST", "~/issues", {"title": "a"}).status_code == 500
    assert titles(receiver, 1) == ["a"]


def test_git_meets_faults_too(env: ApiEnv, tmp_path: Path) -> None:
    """Any path can go wrong, not only those of the API."""
    work = env.core.clone(tmp_path / "work")
    env.forge.faults.add("502", path="/acme/app.git/*")
    assert env.core.git("fetch", cwd=work).returncode != 0
    assert env.core.git("fetch", cwd=work).returncode == 0


def test_the_first_rule_that_fits_acts(env: ApiEnv) -> None:
    """One request meets one fault; the others have seen it all the same."""
    env.forge.faults.add("502", path="/api/v1/version")
    env.forge.faults.add("html", path="/api/v1/*", after=1)
    answers = [env.nobody.call("GET", "/version").headers["Content-Type"] for _ in range(3)]
    assert [kind.partition(";")[0] for kind in answers] == ["text/html", "text/html", "application/json"]


# From elsewhere
def test_faults_are_made_over_http(env: ApiEnv) -> None:
    """A site admin sees, adds and clears faults over HTTP; nobody else does, and a bad rule is one sentence and no rule."""
    place = f"{env.forge.url}/-/faults"

    def ask(method: str, person: Any, body: Any = None) -> requests.Response:
        return requests.request(method, place, json=body, headers={"Authorization": person.authorization}, timeout=30)

    assert [ask("GET", person).status_code for person in (env.nobody, env.core, env.mara)] == [
        401,
        403,
        403,
    ]
    made = ask("POST", env.root, [{"kind": "502", "path": "/api/v1/version"}, {"kind": "drop", "event": "push"}])
    assert [rule["kind"] for rule in made.json()] == ["502", "drop"]
    assert env.nobody.call("GET", "/version").status_code == 502
    assert [rule["acted"] for rule in ask("GET", env.root).json()] == [1, 0]
    wrong: list[tuple[Any, str]] = [
        ({"kind": "drip"}, "kind: 'drip' is none of"),
        ({"kind": "drop", "often": 3}, "often: a rule has kind, event"),
        ({"kind": "drop", "times": "3"}, "times: '3' is not of type int"),
        ({"kind": "drop", "one_in": 0}, "one_in: 0 is less than 1"),
        ([{"kind": "drop"}, 7], "kind: a rule is an object"),
    ]
    for body, words in wrong:
        answer = ask("POST", env.root, body)
        assert (answer.status_code, answer.json()["message"][: len(words)]) == (422, words)
    assert len(ask("GET", env.root).json()) == 2
    assert ask("DELETE", env.root).json() == []


def test_a_token_needs_the_scope_of_admins(env: ApiEnv) -> None:
    """Also a site admin's token makes no faults unless it may administer."""
    statuses = []
    for scope in ("write:repository", "write:admin"):
        made = env.root.post("/users/root0/tokens", {"name": scope, "scopes": [scope]})
        headers = {"Authorization": f"token {made['sha1']}"}
        statuses.append(requests.get(f"{env.forge.url}/-/faults", headers=headers, timeout=30).status_code)
    assert statuses == [403, 200]


def test_rules_are_counted_by_any_thread() -> None:
    """However many threads ask, a rule acts as often as it says."""
    faults, found = Faults(), list[Fault | None]()
    faults.add("502", times=50)

    def ask() -> None:
        found.extend(faults.of_answer("GET", "/x") for _ in range(100))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (sum(rule is not None for rule in found), len(found)) == (50, 800)


def test_kinds_are_one_or_the_other() -> None:
    """Faults of deliveries leave answers alone, and the other way round; an unknown kind is none."""
    faults = Faults()
    for kind in ANSWERS:
        faults.add(kind)
    assert faults.of_delivery("issues") is None
    faults.clear()
    for kind in DELIVERIES:
        faults.add(kind)
    assert faults.of_answer("GET", "/") is None
    with pytest.raises(InvalidRule, match="kind: 'rain' is none of"):
        faults.add("rain")


def test_a_forge_ends_while_requests_hang(tmp_path: Path) -> None:
    """Requests that hang do not keep a forge from ending."""
    with EmbeddedForge(tmp_path) as running:
        env = make_env(running)
        running.faults.add("hang", path="/api/v1/user", seconds=3600, times=3)
        failed: list[type[Exception]] = []

        def ask() -> None:
            try:
                env.core.call("GET", "/user", headers={"Authorization": f"Basic {b64('core:a password')}"})
            except requests.ConnectionError as error:
                failed.append(type(error))

        threads = [threading.Thread(target=ask) for _ in range(3)]
        for thread in threads:
            thread.start()
        until(lambda: running.faults.listed()[0]["acted"] == 3)
    for thread in threads:
        thread.join()
    assert len(failed) == 3
