"""Analysers that an operator adds: told as theirs, at the level that the operator gave, and never green when they fail."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path

import pytest

from bots.models import Level, Scan
from hive.app.review_engines import table
from hive.config import BadYaml, load
from hive.config.engine_settings import TAKEN, EngineSettings
from hive.instance.instance import Instance
from hive.provision.host_checks import _own_analysers
from hive.scan.analysis import ENGINES, analyse
from hive.scan.engine_trial import NAMES, failure_of
from hive.scan.own_engines import KINDS, engines_of
from hive.scan.sources import FileKind
from tests.hive.test_cli import CONFIG

RESULTS = """\
import json, sys
def result(rule, path, line):
    place = {"physicalLocation": {"artifactLocation": {"uri": path}, "region": {"startLine": line}}}
    return {"ruleId": rule, "message": {"text": f"{rule} of `them`"}, "locations": [place]}
results = [result(rule, path, 2) for path in sys.argv[2:] for rule in sys.argv[1].split(",") if rule]
print(json.dumps({"runs": [{"results": results}]}))
sys.exit(1 if results else 0)
"""
Run = Callable[..., Scan]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Looks at files with an analyser that reports the named rules on the second line of each."""
    script = tmp_path / "they.py"

    def look(rules: str, program: str = RESULTS, files: Mapping[str, str] | None = None, **more: object) -> Scan:
        script.write_text(program)
        mine = EngineSettings("they", (sys.executable, str(script), rules), ("python",), **more)  # type: ignore[arg-type]
        root = tmp_path / "head"
        root.mkdir(exist_ok=True)
        for name, text in (files or {"a.py": "x = 1\ny = 2\n", "b.txt": "one\ntwo\n"}).items():
            (root / name).write_text(text)
        engines = engines_of((mine,))[len(ENGINES) :]
        return analyse(root, {path.name: frozenset({1, 2}) for path in root.iterdir()}, "0" * 40, engines=engines)

    return look


def test_their_findings_have_the_level_that_the_operator_gave(run: Run) -> None:
    """Yellow unless the operator says otherwise, in their own words; what is ignored is not said."""
    scan = run("one,two,three", red=("two",), ignore=("three",))
    found = {
        item.rule: (item.path, item.line, item.level, item.engine) for item in scan.findings if item.rule != "clean"
    }
    assert found["one"] == ("a.py", 2, Level.YELLOW, "they")
    assert found["two"] == ("a.py", 2, Level.RED, "they")
    assert "three" not in found
    assert scan.failed == ()
    assert {item.title for item in scan.findings if item.rule == "one"} == {"one of `them`"}


def test_only_ignored_ones_are_no_crash(run: Run) -> None:
    """A status that promises findings has them, though nobody wants to hear these."""
    scan = run("three", ignore=("three",))
    assert (scan.failed, [item for item in scan.findings if item.level is not Level.GREEN]) == ((), [])


@pytest.mark.parametrize(
    ("program", "why"),
    [
        ("import sys; sys.exit(3)", "ended with status 3"),
        ("import sys; sys.exit(1)", "spoke a language that is not its own"),
        ("print('{\"runs\": []}'); import sys; sys.exit(1)", "ended with status 1, and said nothing"),
        ("print('no SARIF')", "spoke a language that is not its own"),
        ('print(\'{"runs": [{"invocations": [{"executionSuccessful": false}], "results": []}]}\')', "spoke a language"),
    ],
    ids=["status", "nothing", "no-findings", "no-sarif", "unfinished"],
)
def test_one_that_fails_is_no_green_light(run: Run, program: str, why: str) -> None:
    """Whatever goes wrong, the change is not reviewed."""
    [(who, said)] = run("one", program).failed
    assert who == "they"
    assert why in said


def test_one_that_is_missing_is_no_green_light(tmp_path: Path) -> None:
    """A program that is not there has read nothing."""
    gone = EngineSettings("they", ("no-such-analyser",), ("python",))
    (tmp_path / "a.py").write_text("x = 1\n")
    engines = engines_of((gone,))[len(ENGINES) :]
    assert analyse(tmp_path, {"a.py": frozenset({1})}, "0" * 40, engines=engines).failed == (
        ("they", "is not installed"),
    )
    assert next(line.split()[:2] for line in table(engines=engines)) == ["✗", "they"]


def test_names_of_its_own() -> None:
    """No analyser of an operator can take the name of one of the review."""
    assert {engine.name for engine in ENGINES} <= TAKEN


@pytest.mark.parametrize(
    ("engine", "why"),
    [
        ({"name": "ruff"}, "is the name of another analyser"),
        ({"name": "a b"}, "should be letters, digits and `-`"),
        ({"reads": ["cobol"]}, "reads"),
        ({"command": []}, "command"),
        ({"found": [256]}, "found"),
        ({"shell": True}, "shell"),
    ],
)
def test_settings_that_mean_nothing(tmp_path: Path, engine: dict[str, object], why: str) -> None:
    """A mistake is an error with its place."""
    host = {
        "forges": {"forgejo": {"url": "http://localhost:3000"}},
        "teams": {"acme": {"forge": "forgejo", "operators": ["mara"]}},
    }
    host["review"] = {"engines": [{"name": "they", "command": ["they"], "reads": ["python"], **engine}]}
    file = tmp_path / "hive.yaml"
    file.write_text(json.dumps(host))
    with pytest.raises(BadYaml, match=why):
        load(file)


@pytest.mark.parametrize(
    ("program", "why"),
    [
        (RESULTS, ""),
        ("import sys; sys.exit(3)", "ended with status 3 on Dockerfile"),
        ("print('no SARIF')", "spoke a language that is not its own"),
        (None, "is not installed"),
    ],
)
def test_a_trial_says_what_a_review_would(tmp_path: Path, program: str | None, why: str) -> None:
    """One that would leave changes not reviewed is found before there is any; a finding on an empty file is none of that."""
    script = tmp_path / "they.py"
    script.write_text(program or "")
    command = (sys.executable, str(script), "one") if program else ("no-such-analyser", "one")
    mine = EngineSettings("they", command, tuple(KINDS))  # type: ignore[arg-type]  # its keys are all of them
    [engine] = engines_of((mine,))[len(ENGINES) :]
    assert failure_of(engine) == why


def test_a_trial_has_a_file_of_each_kind() -> None:
    """No kind that an analyser could read is left out."""
    assert set(NAMES) == set(FileKind) == set(KINDS.values())


def test_the_doctor_tries_them(tmp_path: Path) -> None:
    """An analyser that would leave every change not reviewed is red before there is one."""
    good, path = tmp_path / "good.py", tmp_path / "hive.yaml"
    good.write_text(RESULTS)
    own = [
        {"name": "good", "command": [sys.executable, str(good), ""], "reads": ["python"]},
        {"name": "gone", "command": ["no-such-analyser"], "reads": ["go"]},
    ]
    path.write_text(f"{CONFIG.replace('PORT', '0')}\nreview: {json.dumps({'engines': own})}\n")
    with closing(Instance(load(path))) as instance:
        found = [str(result) for result in _own_analysers(instance)]
    assert found == [
        "🔴 your analyser gone is not installed: files for it are “not reviewed” → install it, or correct it in hive.yaml: review.engines",
        "🟢 your analysers work: good",
    ]
