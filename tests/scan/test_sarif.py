"""SARIF as tools write it, and the analysers that are used where a machine has them."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from bots.models import Level, Scan
from hive.scan import sarif
from hive.scan.analysis import absent
from hive.scan.sandbox_runner import SandboxRunner, bench

Look = Callable[..., Scan]

CODE = """\
const o = { a: 1, a: 2 };
function f(x) {
  if (x === NaN) { return 2; } // eslint-disable-line
  if (x = 3) { return 1; } // oxlint-disable-line
  return o;
}
"""


def run(*results: dict[str, Any], **more: object) -> str:
    """A file with one run."""
    return json.dumps({"version": "2.1.0", "runs": [{"results": results, **more}]})


def result(uri: str, rule: str | None = "r", region: dict[str, int] | None = None, **message: str) -> dict[str, Any]:
    """A result as the specification has it, or without the parts that tools leave out."""
    place = {"artifactLocation": {"uri": uri}, **({"region": region} if region else {})}
    said = {"message": message or {"text": "x"}, "locations": [{"physicalLocation": place}]}
    return said if rule is None else {"ruleId": rule, **said}


@pytest.mark.parametrize(
    ("said", "copy", "line", "rule", "message"),
    [
        (result("0/file.js", region={"startLine": 3, "endLine": 5}), "0/file.js", 3, "r", "x"),
        (result("file:///srv/we%20ird/0/file.py", region={"startLine": 2}), "/srv/we ird/0/file.py", 2, "r", "x"),
        (result("/srv/we#ird/0/file.py", region={"startLine": 2}), "/srv/we#ird/0/file.py", 2, "r", "x"),
        (result("0/file.go", region={"startLine": 0}), "0/file.go", 1, "r", "x"),
        (result("0/file.go"), "0/file.go", 1, "r", "x"),
        (result("0/file.md", None, {"startLine": 4}, markdown="*y*"), "0/file.md", 4, "", "*y*"),
        (result("0/file.py", "folder.of.rules.none-cmp", {"startLine": 1}), "0/file.py", 1, "none-cmp", "x"),
        (result("0/file.ts", "@scope/no-x", {"startLine": 1}), "0/file.ts", 1, "no-x", "x"),
    ],
)
def test_each_form_is_read(said: dict[str, Any], copy: str, line: int, rule: str, message: str) -> None:
    """Addresses with and without a scheme, places without lines, results without a rule: each seen in a tool."""
    (mark,) = sarif.read(run(said))
    assert (mark.copy, mark.line, mark.rule, mark.message) == (copy, line, rule, message)


def test_the_same_result_is_read_once() -> None:
    """Some tools repeat themselves; what has no place at all is about no file."""
    said = result("0/file.js", region={"startLine": 3})
    assert len(list(sarif.read(run(said, said, {"ruleId": "r", "message": {"text": "x"}})))) == 1


@pytest.mark.parametrize(
    "invocation",
    [
        {"executionSuccessful": False},
        {"toolConfigurationNotifications": [{"level": "error", "message": {"text": "x"}}]},
    ],
)
def test_a_run_that_could_not_look_is_none(invocation: dict[str, Any]) -> None:
    """No results of a run that says it did not finish is no clean bill."""
    with pytest.raises(sarif.UnfinishedRun):
        list(sarif.read(run(invocations=[invocation])))


@pytest.mark.parametrize("engine", ["eslint", "oxlint"])
def test_scripts_are_judged_where_there_is_a_judge(look: Look, engine: str) -> None:
    """Bugs are told in our words, and a comment does not silence the one who tells them."""
    if bench().find(engine) is None:
        pytest.skip(f"{engine} is not installed: npm install eslint, or pip install oxlint")
    scan = look({"a.js": CODE, ".oxlintrc.json": '{"rules": {"use-isnan": "off"}}\n'}, engines=engine)
    assert [(item.line, item.rule) for item in scan.findings if item.level is not Level.GREEN] == [
        (1, "no-dupe-keys"),
        (3, "use-isnan"),
        (4, "no-cond-assign"),
    ]


def test_what_belongs_to_a_machine_may_be_missing(look: Look, tmp_path: object) -> None:
    """An analyser that does not come with the hive is used where it is, and missed by nobody."""
    scan = look({"a.js": CODE}, engines="eslint oxlint", on=SandboxRunner(()))
    assert (scan.ran, scan.failed) == ((), ())
    assert {"eslint", "oxlint"}.isdisjoint(absent(SandboxRunner(())))
