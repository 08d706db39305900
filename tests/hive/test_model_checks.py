"""What the doctor finds out about a model: whether it answers, and whether tools reach it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from bots.models import Level
from hive.config import ProviderSettings, ReviewerSettings
from hive.demo.model import ModelConversation, ModelReply, ModelServer, ToolCall
from hive.demo.model.faults import ApiError, Fault, Unfinished
from hive.gateway.llm import Model
from hive.gateway.model_route import ModelRoute
from hive.instance.instance import Instance
from hive.provision.check_results import CheckResult
from hive.provision.model_checks import ModelChecks, check
from tests.hive.test_model_keys import instance_of


@dataclass
class Obliging:
    """A model that calls the tool it is offered, if it is willing to."""

    willing: bool = True
    fault: Fault | None = None

    def reply(self, conversation: ModelConversation) -> ModelReply:
        """A call, or words."""
        if self.willing and conversation.tools:
            return ModelReply(calls=(ToolCall(conversation.tools[0], {"number": 7}),), fault=self.fault)
        return ModelReply("Seven.", fault=self.fault)


def found(responder: Obliging, *, drops_tools: bool = False, counts: bool = True, key: str = "") -> CheckResult:
    """What is found out about such a model."""
    with ModelServer(responder, drops_tools=drops_tools, counts=counts, key=key) as server:
        model = Model(url=server.url)
        try:
            return check(ModelRoute(model, "home/m", "m", lambda: "sk"), "iris", "model.providers.home.url")
        finally:
            model.close()


@pytest.mark.parametrize("counts", [True, False], ids=["counting", "not counting"])
def test_a_model_that_calls_tools_is_fine(*, counts: bool) -> None:
    """One that has tools and does not use them is doubtful, and one whose server drops them is of no use."""
    assert str(found(Obliging(), counts=counts)) == "🟢 home/m answers, and calls tools"
    unused = found(Obliging(willing=False), counts=counts)
    assert (unused.level, "did not" in unused.what) == (Level.YELLOW, True)
    dropped = found(Obliging(), drops_tools=True, counts=counts)
    assert (dropped.level, "drops them" in dropped.what) == (Level.RED, True)


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (ApiError(401, "authentication_error", "bad key"), "home/m is not open to iris: bad key → hive login iris"),
        (ApiError(404, "not_found_error", "no such model"), "home/m answers 404: no such model → check the server"),
        (ApiError(529, "overloaded_error", "busy"), "home/m answers 529: busy"),
        (Unfinished(), "home/m does not answer as a model does: the model's reply was cut off"),
    ],
    ids=repr,
)
def test_what_is_wrong_is_said(fault: Fault, said: str) -> None:
    """In the server's words, with what to do."""
    result = found(Obliging(fault=fault))
    assert result.level is Level.RED
    assert said in str(result)


def test_each_model_in_use_is_asked(tmp_path: Path) -> None:
    """Once, with the key of an agent that uses it; who has none is told how to get one."""
    with ModelServer(Obliging(), key="sk-of-iris") as server:
        providers = {"home": ProviderSettings(server.url), "away": ProviderSettings("http://127.0.0.1:1")}
        instance = instance_of(tmp_path, agents={"iris": ("home/m",), "nora": ("away/m",)}, providers=providers)
        instance.secret_store.keep_agent_key("home", "iris", "sk-of-iris")
        said = [str(sign) for sign in ModelChecks(instance).look()]
        instance.close()
    assert said[0] == "🟢 home/m answers, and calls tools"
    assert said[1].startswith("🔴 away/m is unreachable: ")
    assert said[1].endswith("→ start its server, or fix model.providers.away.url")
    unkeyed = instance_of(tmp_path / "b")
    (line,) = [str(sign) for sign in ModelChecks(unkeyed).look()]
    assert line == "🔴 iris has no key for claude-sonnet-5-5 → hive login iris"
    unkeyed.close()


def test_a_model_that_reviews_is_asked(tmp_path: Path) -> None:
    """It needs to answer, and no tools; without a key it is told where one belongs, which is no agent's."""
    review = ReviewerSettings(model="home/m", verifier="claude-opus-5-5")
    with ModelServer(Obliging(willing=False), drops_tools=True) as server:
        plain = instance_of(tmp_path, agents={"iris": ("home/m",)}, providers={"home": ProviderSettings(server.url)})
        instance = Instance(replace(plain.settings, review=review))
        said = [str(sign) for sign in ModelChecks(instance).look()]
        for each in (plain, instance):
            each.close()
    assert said[-2] == "🟢 home/m answers, and reviews"
    assert said[-1].startswith("🔴 there is no key for claude-opus-5-5 → ANTHROPIC_API_KEY, or a key_file")
