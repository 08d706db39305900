"""The gateway lets a container think and nothing else, and books whatever it is answered."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest

from hive.gateway import model_proxy
from hive.gateway.admission import Denied, Guard
from hive.gateway.llm import Model, ModelRequest, StreamedReply
from hive.gateway.meter import MAX_TOKENS, Meter
from hive.gateway.model_errors import ModelFailed, error_body, refusal, unreachable
from hive.gateway.model_headers import passed_on
from hive.gateway.model_request import prepared
from hive.gateway.token_usage import TokenUsage
from hive.ledger import Ledger, Scope, SuspensionReason, Turn
from tests.hive.test_broker import ASKED, EVENTS, ISSUE, Upstream, resting, routed, taken, through

CUSTOM = {"name": "read", "description": "reads", "input_schema": {"type": "object"}}
PICTURE = {"type": "base64", "media_type": "image/png", "data": "aGk="}
STOP = b'data: {"type":"message_stop"}\n\n'


@pytest.fixture
def turn(ledger: Ledger) -> Turn:
    """A turn of iris."""
    ledger.runs.start("acme", "iris", ISSUE, "k1", "do it")
    return taken(ledger)


def said(*content: object) -> dict[str, Any]:
    """A request with one message of these blocks."""
    return {**ASKED, "messages": [{"role": "user", "content": list(content)}]}


def result(*content: object) -> dict[str, Any]:
    """The result of a tool."""
    return {"type": "tool_result", "tool_use_id": "t", "content": list(content)}


@pytest.mark.parametrize(
    "request_",
    [
        ASKED,
        {**ASKED, "model": "m", "system": "s", "tools": [CUSTOM, {**CUSTOM, "type": "custom"}], "stream": False},
        {**ASKED, "system": [{"type": "text", "text": "s", "cache_control": {"type": "ephemeral"}}]},
        {**ASKED, "cache_control": {"type": "ephemeral"}, "thinking": {"type": "adaptive"}},
        said({"type": "text", "text": "web_search, mcp_servers, https://x"}, {"type": "thinking", "thinking": "t"}),
        said({"type": "tool_use", "id": "t", "name": "web_fetch", "input": {"source": {"type": "url"}}}),
        said(result({"type": "image", "source": PICTURE}, {"type": "text", "text": "t"})),
        said({"type": "document", "source": {"type": "content", "content": [{"type": "image", "source": PICTURE}]}}),
        said({"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "d"}}),
    ],
    ids=str,
)
def test_a_container_may_think(request_: dict[str, Any]) -> None:
    """Its own tools, words, pictures and documents, as far as they are in the request."""
    prepared(request_, frozenset())


@pytest.mark.parametrize(
    "request_",
    [
        *({**ASKED, "tools": [{"type": kind, "name": "x"}]} for kind in ("web_search_20250305", "web_fetch_20250910")),
        *({**ASKED, "tools": [{"type": kind, "name": "x"}]} for kind in ("code_execution_20250825", "mcp_toolset")),
        {**ASKED, "tools": [{**CUSTOM, "type": "web_search_20250305"}]},
        {**ASKED, "tools": [{**CUSTOM, "type": ["custom"]}]},
        {**ASKED, "tools": [{**CUSTOM, "allowed_callers": ["code_execution_20250825"]}]},
        {**ASKED, "tools": [{"name": "no schema"}]},
        {**ASKED, "tools": {"name": "no list"}},
        {**ASKED, "tools": ["web_search"]},
        {**ASKED, "mcp_servers": [{"type": "url", "url": "http://x", "name": "x"}]},
        *({**ASKED, key: "x"} for key in ("container", "betas", "service_tier", "speed", "fallbacks")),
        *({**ASKED, key: "x"} for key in ("inference_geo", "extra_headers", "extra_body", "timeout", "x" * 1000)),
        {**ASKED, "stream": "yes"},
        {**ASKED, "max_tokens": True},
        {**ASKED, "max_tokens": "10"},
        {**ASKED, "messages": []},
        {**ASKED, "messages": "hi"},
        {**ASKED, "messages": [["role"]]},
        {**ASKED, "messages": [{"role": "user", "content": {"type": "text"}}]},
        {key: value for key, value in ASKED.items() if key != "max_tokens"},
        {**ASKED, "system": [{"type": "image", "source": PICTURE}]},
        *(said({"type": kind, "source": {"type": "url", "url": "http://x"}}) for kind in ("image", "document")),
        *(said({"type": kind, "source": {"type": "file", "file_id": "f"}}) for kind in ("image", "document")),
        said({"type": "image", "source": "http://x"}),
        said({"type": "image", "source": {"url": "http://x"}}),
        said(result({"type": "image", "source": {"type": "url", "url": "http://x"}})),
        said({"type": "document", "source": {"type": "content", "content": [{"type": "image", "source": {}}]}}),
        said(result(result(result(result(result("deep")))))),
        said({"type": "server_tool_use", "id": "s", "name": "web_fetch", "input": {"url": "http://x"}}),
        said({"type": "web_search_tool_result", "tool_use_id": "s", "content": []}),
        said({"type": "mcp_tool_use", "id": "s", "name": "x", "server_name": "x", "input": {}}),
        said({"type": "container_upload", "file_id": "f"}),
        said({"type": "made_up_tomorrow"}),
        said({"text": "of no type"}),
        said({"type": ["text"]}),
    ],
    ids=lambda value: str(value)[-70:],
)
def test_whatever_reaches_further_is_refused(ledger: Ledger, turn: Turn, request_: dict[str, Any]) -> None:
    """In words that name it, with a row of the audit log, and the model is not asked: what it reaches is a network."""
    upstream = Upstream(EVENTS)
    with through(ledger, upstream) as client:
        answer = client.post("/v1/messages", json=request_, headers={"x-api-key": turn.token})
    assert answer.status_code == 400
    assert answer.json is not None
    assert answer.json["error"]["type"] == "invalid_request_error"
    assert upstream.asked == []
    (row,) = [row for row in ledger.audit.after(0) if row.action == "request_rejected"]
    assert row.detail["why"] == answer.json["error"]["message"]
    assert row.detail["request"] == answer.headers["X-Request-Id"]


CLAUDE_CODE = (
    "claude-code-20250219,context-1m-2025-08-07,interleaved-thinking-2025-05-14,thinking-token-count-2026-05-13,"
    "context-management-2025-06-27,prompt-caching-scope-2026-01-05,mid-conversation-system-2026-04-07,effort-2025-11-24"
)
"""What Claude Code 2.1.197 sends as `anthropic-beta`."""


@pytest.mark.parametrize("betas", ["", CLAUDE_CODE, "compact-2026-01-12, effort-2025-11-24"])
def test_a_beta_that_changes_the_conversation_only_is_passed_on(betas: str) -> None:
    """In the version that the client asks for, or in one that every server knows."""
    names = {"anthropic-beta": betas.replace(", ", ",")} if betas else {}
    assert passed_on("", betas, ()) == {"anthropic-version": "2023-06-01", **names}
    assert passed_on("2026-10-21", betas, ())["anthropic-version"] == "2026-10-21"


@pytest.mark.parametrize(
    "beta",
    [
        *("files-api-2025-04-14", "mcp-client-2025-11-20", "code-execution-2025-08-25", "web-search-2025-03-05"),
        *("skills-2025-10-02", "fast-mode-2026-02-01", "server-side-fallback-2026-06-01", "advisor-tool-2026-03-01"),
        *("made-up-2026-01-01", "effort", "effort-2025", "", "effort-2025-11-24\r\nx: y"),
    ],
)
def test_a_beta_that_reaches_further_is_refused(ledger: Ledger, turn: Turn, beta: str) -> None:
    """A header cannot ask for what the body may not; a name that nobody here knows may ask for anything."""
    with pytest.raises(Denied):
        passed_on("", f"effort-2025-11-24,{beta}" if beta else "x y", ())
    headers = {"x-api-key": turn.token, "anthropic-beta": "files-api-2025-04-14"}
    upstream = Upstream(EVENTS)
    with through(ledger, upstream) as client:
        answer = client.post("/v1/messages", json=ASKED, headers=headers)
    assert answer.json is not None
    assert (answer.status_code, answer.json["error"]["type"]) == (400, "invalid_request_error")
    assert "files-api" in answer.json["error"]["message"]
    assert upstream.asked == []


def test_an_operator_grants_a_beta_by_name() -> None:
    """In any version; a granted server tool brings its own."""
    assert "fast-mode" in passed_on("", "fast-mode-2026-02-01", {"fast-mode"})["anthropic-beta"]
    assert "web-search" in passed_on("", "web-search-2025-03-05", {"web_search"})["anthropic-beta"]
    with pytest.raises(Denied):
        passed_on("yesterday", "", ())


def test_what_a_client_sets_is_sent(ledger: Ledger, turn: Turn) -> None:
    """Nothing that keeps its meaning is dropped or changed; null means the same as nothing, and is not sent."""
    more = {
        "tool_choice": {"type": "tool", "name": "read"},
        "tools": [CUSTOM, {"type": "bash_20250124", "name": "bash"}],
        "temperature": 0.5,
        "top_p": 1,
        "top_k": 40,
        "stop_sequences": ["END"],
        "thinking": {"type": "enabled", "budget_tokens": 1024},
        "output_config": {"effort": "high", "format": {"type": "json_schema", "schema": {}}},
        "context_management": {"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]},
        "metadata": {"user_id": "u"},
    }
    upstream = Upstream(EVENTS)
    with through(ledger, upstream) as client:
        body = {**ASKED, **more, "system": None, "cache_control": None}
        headers = {"x-api-key": turn.token, "anthropic-beta": CLAUDE_CODE}
        assert client.post("/v1/messages?beta=true", json=body, headers=headers).status_code == 200
    assert upstream.asked == [("claude-sonnet-5-5", {**ASKED, **more, "model": "claude-sonnet-5-5"})]


@pytest.mark.parametrize(
    "more",
    [
        {"tool_choice": "any"},
        {"temperature": "hot"},
        {"top_k": True},
        {"stop_sequences": "END"},
        {"stop_sequences": [1]},
        {"thinking": []},
        {"context_management": {"edits": [{"type": "fetch_20260101"}]}},
        {"context_management": {"edits": ["compact_20260112"]}},
        {"messages": [{"role": "user", "content": None}]},
        {"messages": [{"role": "tool", "content": "x"}]},
        {"messages": [{"role": ["user"], "content": "x"}]},
        {"messages": [{"content": "x"}]},
        {"messages": None},
        {"max_tokens": None},
        {"tools": None, "max_tokens": -1},
    ],
    ids=str,
)
def test_what_has_the_wrong_form_is_refused_in_words(ledger: Ledger, turn: Turn, more: dict[str, Any]) -> None:
    """400 in the API's form, before a server meets it that answers with a fault of its own."""
    with through(ledger, Upstream(EVENTS)) as client:
        answer = client.post("/v1/messages", json={**ASKED, **more}, headers={"x-api-key": turn.token})
    assert answer.json is not None
    assert (answer.status_code, answer.json["type"]) == (400, "error")
    assert answer.json["error"]["type"] == "invalid_request_error"


def test_neighbours_of_one_role_are_one_message() -> None:
    """Servers whose template alternates the roles get them so, with every block in its place and none changed."""
    first, cached = {"type": "text", "text": "a"}, {"type": "text", "text": "c", "cache_control": {"type": "ephemeral"}}
    answered = result({"type": "text", "text": "r"})
    messages = [
        {"role": "user", "content": [first]},
        {"role": "user", "content": "b"},
        {"role": "assistant", "content": "x"},
        {"role": "assistant", "content": [cached]},
        {"role": "user", "content": [answered]},
        {"role": "user", "content": ""},
        {"role": "system", "content": "s"},
        {"role": "user", "content": "alone"},
    ]
    assert prepared({**ASKED, "messages": messages}, ())["messages"] == [
        {"role": "user", "content": [first, {"type": "text", "text": "b"}]},
        {"role": "assistant", "content": [{"type": "text", "text": "x"}, cached]},
        {"role": "user", "content": [answered]},
        {"role": "system", "content": "s"},
        {"role": "user", "content": "alone"},
    ]
    assert prepared(ASKED, ())["messages"] == ASKED["messages"]


def test_tokens_are_counted(ledger: Ledger, turn: Turn) -> None:
    """By the model's server; where that cannot count they are estimated, and no other failure is hidden."""
    answer = json.dumps({"input_tokens": 77}).encode()
    counting = {key: value for key, value in ASKED.items() if key != "max_tokens"}
    found = []
    for upstream in (
        Answering([answer], "application/json"),
        Upstream(ModelFailed(404, error_body("not_found_error", "no such path"))),
        Upstream(refusal(404, b"<html>", {})),
        Upstream(ModelFailed(429, error_body("rate_limit_error", "busy"))),
    ):
        with through(ledger, upstream) as client:
            reply = client.post("/v1/messages/count_tokens", json=counting, headers={"x-api-key": turn.token})
            found.append((reply.status_code, (reply.json or {}).get("input_tokens", 0)))
    length = len(json.dumps({**counting, "model": "x"})) // 4
    assert found[0] == (200, 77)
    assert found[3] == (429, 0)
    for status, estimate in found[1:3]:
        assert status == 200
        assert 0 < estimate <= length
    assert booked(ledger)[:2] == (0, 0), "counting costs nothing"


def test_what_clients_ask_beside_messages(ledger: Ledger, turn: Turn) -> None:
    """Whether somebody listens needs no token, the list of models does; all else is 404 in the API's form, never a page."""
    with through(ledger, Upstream(EVENTS)) as client:
        assert client.head("/").status_code == client.get("/").status_code == 200
        assert client.get("/v1/models").status_code == 401
        listed = client.get("/v1/models", headers={"x-api-key": turn.token}).json
        assert listed is not None
        assert [model["id"] for model in listed["data"]] == ["claude-sonnet-5-5"]
        for method, path in (("POST", "/v1/complete"), ("POST", "/api/event_logging/batch"), ("GET", "/v1/messages")):
            answer = client.open(path, method=method, headers={"x-api-key": turn.token})
            assert answer.json is not None
            assert (answer.status_code in (404, 405), answer.json["type"]) == (True, "error")


def test_an_operator_grants_a_server_tool_by_name() -> None:
    """That tool in any version, its calls and its results pass, and no other."""
    searching = [
        {**ASKED, "tools": [CUSTOM, {"type": "web_search_20250305", "name": "web_search", "max_uses": 3}]},
        said({"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}}),
        said({"type": "web_search_tool_result", "tool_use_id": "s", "content": []}),
    ]
    for request in searching:
        prepared(request, frozenset({"web_search"}))
        with pytest.raises(Denied):
            prepared(request, frozenset({"web_fetch", "web"}))


class Answering(Upstream):
    """A model that answers with a content type of the test's."""

    def __init__(self, answer: list[bytes], content_type: str) -> None:
        super().__init__(answer)
        self.content_type = content_type

    @contextmanager
    def ask(self, request: ModelRequest, key: str) -> Iterator[StreamedReply]:
        """Answer."""
        yield StreamedReply(self.content_type, iter(self.answer))  # type: ignore[arg-type]  # never a failure here


def booked(ledger: Ledger) -> tuple[int, int, list[str]]:
    """Tokens in and out of the run, and what the audit log says of them."""
    with ledger.transaction() as db:
        tokens = db.execute("SELECT tokens_in, tokens_out FROM runs").fetchone()
    return tokens["tokens_in"], tokens["tokens_out"], [row.action for row in ledger.audit.after(0)]


OBJECT = {
    "type": "message",
    "content": [],
    "usage": {"input_tokens": 7, "cache_read_input_tokens": 5, "output_tokens": 3},
}


@pytest.mark.parametrize("pieces", [1, 3, 50])
def test_an_answer_in_one_object_is_booked(ledger: Ledger, turn: Turn, pieces: int) -> None:
    """A request with `stream: false` costs what it says, however it arrives."""
    data = json.dumps(OBJECT).encode()
    size = -(-len(data) // pieces)
    chunks = [data[start : start + size] for start in range(0, len(data), size)]
    with through(ledger, Answering(chunks, "application/json; charset=utf-8")) as client:
        answer = client.post("/v1/messages", json={**ASKED, "stream": False}, headers={"x-api-key": turn.token})
        assert answer.data == data
    assert booked(ledger) == (12, 3, [])


WORDS = b'data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"%s"}}\n\n' % (b"x" * 400)


@pytest.mark.parametrize(
    ("chunks", "kind", "least"),
    [
        ([EVENTS[0] + EVENTS[1].partition(b"event: message_delta")[0], WORDS], "text/event-stream", (120, 100)),
        ([WORDS], "text/event-stream", (20, 100)),
        ([json.dumps(OBJECT).encode()[:-10]], "application/json", (20, 10)),
        ([b'{"type":"message","usage":{"input_tokens":-5,"output_tokens":"9"}}'], "application/json", (0, 0)),
        ([b'{"type":"message","usage":[]}'], "application/json", (20, 0)),
        ([], "text/event-stream", (20, 0)),
    ],
    ids=["cut", "no usage", "half an object", "impossible", "no object", "nothing"],
)
def test_what_is_not_told_is_estimated(
    ledger: Ledger, turn: Turn, chunks: list[bytes], kind: str, least: tuple[int, int]
) -> None:
    """A cut answer is booked with what was told and with what passed, and the audit log says that it is an estimate."""
    with through(ledger, Answering(chunks, kind)) as client:
        assert client.post("/v1/messages", json=ASKED, headers={"x-api-key": turn.token}).data == b"".join(chunks)
    tokens_in, tokens_out, rows = booked(ledger)
    assert (tokens_in >= least[0], tokens_out >= least[1]) == (True, True)
    assert "tokens_estimated" in rows


def test_a_reader_that_goes_away_is_booked(ledger: Ledger, turn: Turn) -> None:
    """Who hangs up halfway pays for what passed, and that is no fault of the model's."""
    with through(ledger, Upstream([*EVENTS[:2], WORDS, STOP])) as client:
        answer = client.post("/v1/messages", json=ASKED, headers={"x-api-key": turn.token}, buffered=False)
        stream = answer.iter_encoded()
        next(stream)
        next(stream)
        answer.close()
    tokens_in, _, rows = booked(ledger)
    assert (tokens_in, rows) == (120, ["tokens_estimated"])


@pytest.mark.parametrize("value", [-1, "7", 1.5, True, [], MAX_TOKENS + 1, 10**400])
def test_numbers_that_cannot_be_are_not_booked(value: object) -> None:
    """What a model's address says of its use is read as what it is: somebody's word."""
    meter = Meter("application/json")
    meter.see(json.dumps({"type": "message", "usage": {"input_tokens": value, "output_tokens": 5}}).encode())
    meter.end()
    assert (meter.usage.tokens_in, meter.usage.output, meter.usage.is_estimate) == (0, 5, True)


def test_words_are_no_events() -> None:
    """A model that writes about the end of a message has not come to it."""
    meter = Meter()
    text = json.dumps('data: {"type":"message_stop"}\n"usage": {"output_tokens": 99999}')
    meter.see(f'data: {{"type":"content_block_delta","delta":{{"type":"text_delta","text":{text}}}}}\n\n'.encode())
    assert not meter.is_whole
    assert meter.usage.output < 100


@pytest.mark.parametrize(
    ("chunks", "why"),
    [
        ([*EVENTS[:2]], SuspensionReason.MODEL_UNREACHABLE),
        ([b'data: {"type":"error","error":{"type":"overloaded_error"}}\n\n'], SuspensionReason.RATE_LIMITED),
        ([b'data: {"type":"error","error":{"type":"api_error"}}\n\n'], SuspensionReason.MODEL_UNREACHABLE),
    ],
    ids=["cut", "overloaded", "fault"],
)
def test_an_answer_that_breaks_off_is_the_models_fault(
    ledger: Ledger, turn: Turn, chunks: list[bytes], why: SuspensionReason
) -> None:
    """A turn that is put down for it waits for the model, and has lost no attempt."""
    rest = resting(ledger)
    upstream = model_proxy.Upstream(routed(Answering(chunks, "text/event-stream")), lambda: ("m",), rest)
    with model_proxy.create(upstream, Guard(ledger, "acme", "iris")).test_client() as client:
        answer = client.post("/v1/messages", json=ASKED, headers={"x-api-key": turn.token})
        assert answer.data == b"".join(chunks)
    rest.put_down(turn)
    assert [suspension.reason for suspension in ledger.suspensions.all()] == [why]
    with ledger.transaction() as db:
        assert [row["attempts"] for row in db.execute("SELECT attempts FROM turns")] == [0]


@pytest.mark.parametrize(
    ("failure", "rests"),
    [
        (unreachable("[Errno 111] Connection refused"), "rest"),
        (ModelFailed(401, {"type": "error", "error": {"type": "authentication_error"}}), "rest"),
        (ModelFailed(500, {"type": "error", "error": {"type": "api_error"}}), None),
        (ModelFailed(529, {"type": "error", "error": {"type": "overloaded_error"}}), None),
        (ModelFailed(400, {"type": "error", "error": {"type": "invalid_request_error"}}), None),
        (ModelFailed(404, {"type": "error", "error": {"type": "not_found_error"}}), None),
        (ModelFailed(413, {"type": "error", "error": {"type": "request_too_large"}}), None),
        (ModelFailed(422, {"type": "error", "error": {"type": "invalid_request_error"}}), None),
    ],
    ids=str,
)
def test_who_has_to_wait_is_told_at_once(ledger: Ledger, turn: Turn, failure: ModelFailed, rests: str | None) -> None:
    """Where waiting in place is no use the first answer says so; what is one thread's own fault never says it."""
    with through(ledger, Upstream(failure)) as client:
        answer = client.post("/v1/messages", json=ASKED, headers={"x-api-key": turn.token})
        assert (answer.status_code, answer.headers.get("x-hive")) == (failure.status, rests)
        assert ledger.suspensions.of("acme", Scope.AGENT, "iris") == []


@pytest.mark.parametrize(
    "more",
    [
        {"messages": [{"role": "user", "content": "half of a pair: \ud83d"}]},
        {"metadata": {"user_id": "\udc00"}},
        {"stop_sequences": ["\ud800"]},
    ],
    ids=["messages", "metadata", "stop"],
)
def test_what_cannot_be_sent_is_this_requests_fault(more: dict[str, Any]) -> None:
    """400 in words, as the API says it: never that the model is away."""
    upstream = Model(url="http://127.0.0.1:1")
    with pytest.raises(ModelFailed) as caught, upstream.ask(ModelRequest({**ASKED, **more}), "k"):
        pass
    upstream.close()
    assert (caught.value.status, caught.value.unreachable) == (400, "")


def test_half_a_pair_is_sent_as_a_sign(ledger: Ledger, turn: Turn) -> None:
    """A thread with a cut sign in it goes on: the model reads a replacement for it."""
    upstream = Upstream(EVENTS)
    with through(ledger, upstream) as client:
        data = json.dumps({**ASKED, "system": "cut \ud83d"})
        assert client.post("/v1/messages", data=data, headers={"x-api-key": turn.token}).status_code == 200
    assert upstream.asked[0][1]["system"] == "cut \ufffd"


@pytest.mark.parametrize(
    ("usage", "found"),
    [
        ({"input_tokens": 7, "output_tokens": 3}, TokenUsage(7, output=3)),
        ({"input_tokens": 0, "cache_read_input_tokens": 9, "output_tokens": 3}, TokenUsage(cache_read=9, output=3)),
        (
            {
                "input_tokens": 1,
                "cache_creation_input_tokens": 30,
                "cache_creation": {"ephemeral_5m_input_tokens": 10, "ephemeral_1h_input_tokens": 20},
                "server_tool_use": {"web_search_requests": 2},
                "output_tokens": 3,
            },
            TokenUsage(1, 10, 20, 0, 3, 2),
        ),
        (
            {"input_tokens": 1, "cache_creation_input_tokens": 5, "cache_creation": None, "output_tokens": 3},
            TokenUsage(1, 5, output=3),
        ),
        (
            {
                "input_tokens": 10,
                "output_tokens": 3,
                "iterations": [
                    {"type": "compaction", "input_tokens": 1000, "output_tokens": 50},
                    {"type": "message", "input_tokens": 10, "output_tokens": 3},
                    None,
                ],
            },
            TokenUsage(1010, output=53),
        ),
    ],
    ids=["plain", "cached", "written to the cache", "written, for how long is not said", "compacted at the provider"],
)
@pytest.mark.parametrize("kind", ["text/event-stream", "application/json"])
def test_each_class_of_tokens_is_counted_apart(usage: dict[str, Any], found: TokenUsage, kind: str) -> None:
    """Each has a price of its own, in a stream as in one object."""
    meter = Meter(kind)
    if kind == "application/json":
        meter.see(json.dumps({"type": "message", "usage": usage}).encode())
    else:
        start = {"type": "message_start", "message": {"usage": {**usage, "output_tokens": 1}}}
        delta = {"type": "message_delta", "delta": None, "usage": usage}
        events = [start, delta, {"type": "message_stop"}]
        meter.see(b"".join(b"data: " + json.dumps(event).encode() + b"\n\n" for event in events))
    meter.end()
    assert meter.usage == found


@pytest.mark.parametrize("field", ["message", "usage", "delta", "content_block", "error"])
def test_null_in_the_place_of_an_object_is_nothing(field: str) -> None:
    """Servers write `null` where the API writes an object: that is no count and no failure of the gateway."""
    kinds = ("message_start", "content_block_start", "content_block_delta", "message_delta", "error")
    meter = Meter()
    for kind in kinds:
        meter.see(b"data: " + json.dumps({"type": kind, field: None}).encode() + b"\n\n")
    meter.end()
    assert (meter.usage.tokens_in, meter.usage.output, meter.usage.is_estimate) == (0, 0, True)


class Purse:
    """Spending that keeps what it was told."""

    def __init__(self, refusal: ModelFailed | None = None) -> None:
        self.refusal = refusal
        self.heard: list[object] = []

    def admit(self, turn: Turn, model: str, request: Mapping[str, Any]) -> Purse:
        """Reserve, or refuse."""
        self.heard.append(model)
        if self.refusal is not None:
            raise self.refusal
        return self

    @property
    def max_tokens(self) -> int:
        """A reply may be shorter than it was asked to be."""
        return 7

    @property
    def used(self) -> int:
        """Of the cap."""
        return 42

    def settle(self, usage: TokenUsage) -> None:
        """Note it."""
        self.heard.append(usage)


SPENT = ModelFailed(429, {"type": "error", "error": {"type": "billing_error"}}, {"x-should-retry": "false"})


@pytest.mark.parametrize(
    ("answer", "refusal", "heard"),
    [
        (EVENTS, None, ["m", TokenUsage(100, cache_read=20, output=30, is_estimate=True)]),
        (ModelFailed(529, {"type": "error"}), None, ["m", TokenUsage()]),
        (EVENTS, SPENT, ["m"]),
    ],
    ids=["answered", "refused by the model", "refused for money"],
)
def test_money_is_asked_before_and_told_after(
    ledger: Ledger, turn: Turn, answer: list[bytes] | ModelFailed, refusal: ModelFailed | None, heard: list[object]
) -> None:
    """What was reserved is settled once, whatever became of the request; a spent budget asks no model."""
    upstream, purse = Upstream(answer), Purse(refusal)
    asked = model_proxy.Upstream(routed(upstream, "m"), lambda: ("m",), resting(ledger), spending=purse)
    with model_proxy.create(asked, Guard(ledger, "acme", "iris")).test_client() as client:
        given = client.post("/v1/messages", json=ASKED, headers={"x-api-key": turn.token})
        assert given.data
    assert purse.heard == heard
    assert [request["max_tokens"] for _, request in upstream.asked] == ([] if refusal else [7])
    assert given.headers.get("x-hive-budget") == ("42" if answer is EVENTS and refusal is None else None)
    if refusal is not None:
        assert (given.status_code, given.headers["x-should-retry"]) == (429, "false")


class Picky(Upstream):
    """A server that fails at everything but `answered`."""

    def __init__(self, failure: ModelFailed, answered: str) -> None:
        super().__init__(failure)
        self.answered = answered

    @contextmanager
    def ask(self, request: ModelRequest, key: str) -> Iterator[StreamedReply]:
        """Answer, or fail."""
        self.asked.append((request.body["model"], request.body))
        if self.answered not in json.dumps(request.body["messages"]):
            raise self.answer  # type: ignore[misc]  # always a failure here
        yield StreamedReply("text/event-stream", iter([*EVENTS, STOP]))


@pytest.mark.parametrize(
    ("failure", "tries"),
    [
        (ModelFailed(500, error_body("api_error", "image input is not supported")), 4),
        (ModelFailed(501, error_body("api_error", "not implemented")), 1),
        (unreachable("timed out", was_sent=True), 4),
    ],
    ids=["fault", "not implemented", "too slow"],
)
def test_what_is_never_answered_is_not_repeated_for_ever(
    ledger: Ledger, turn: Turn, failure: ModelFailed, tries: int
) -> None:
    """When the server answers something small meanwhile, the request is refused in the server's own words, and no agent waits."""
    upstream = Picky(failure, "Say OK.")
    with through(ledger, upstream) as client:
        answers = [client.post("/v1/messages", json=ASKED, headers={"x-api-key": turn.token}) for _ in range(tries + 1)]
        assert [answer.status_code for answer in answers] == [failure.status] * tries + [400]
        assert answers[-1].json is not None
        said = answers[-1].json["error"]["message"]
        assert said.startswith("the model's server failed at this request")
        assert said.endswith(failure.message)
        other = {**ASKED, "messages": [{"role": "user", "content": "Say OK. And more."}]}
        assert STOP in client.post("/v1/messages", json=other, headers={"x-api-key": turn.token}).data
    assert ledger.suspensions.all() == []
    assert booked(ledger)[0] == 240, "what was asked to find out is booked as well"


@pytest.mark.parametrize(
    "failure",
    [
        ModelFailed(500, error_body("api_error", "down")),
        ModelFailed(529, error_body("overloaded_error", "busy")),
        ModelFailed(503, error_body("api_error", "loading")),
        unreachable("Connection refused"),
    ],
    ids=lambda failure: f"{failure.status} {failure.message}",
)
def test_a_model_that_is_down_is_waited_for(ledger: Ledger, turn: Turn, failure: ModelFailed) -> None:
    """However often: no request is at fault while nothing is answered, or while the server says that it is busy."""
    with through(ledger, Picky(failure, "nothing at all")) as client:
        for _ in range(8):
            answer = client.post("/v1/messages", json=ASKED, headers={"x-api-key": turn.token})
            assert answer.status_code == failure.status
