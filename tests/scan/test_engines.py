"""What each engine is there for, seen by the real ones; and that a change cannot switch them off."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from bots.models import Category, Level, Scan
from hive.scan.analysis import ENGINES
from hive.scan.conflicts import NAME as CONFLICTS
from hive.scan.rules import ORDER, rules

Look = Callable[..., Scan]

SILENT = {
    "a.py": """\
import contextlib
import json


def bare(x):
    try:
        return json.dumps(x)
    except:
        return None


def blind(x):
    for item in x:
        try:
            json.dumps(item)
        except (ValueError, Exception) as error:
            continue


def suppressed(x):
    with contextlib.suppress(Exception):
        json.dumps(x)


def typed(x):
    try:
        return json.dumps(x)
    except TypeError:
        return None


def good(x):
    try:
        return json.dumps(x)
    except TypeError as error:
        raise Unwritable(x) from error


class Unwritable(Exception):
    pass


def passed_over(items):
    for item in items:
        try:
            item.read()
        except (OSError, ValueError) as error:
            pass


def absent(items, name):
    try:
        return items[name]
    except (KeyError, IndexError):
        return None


def expected(path):
    try:
        path.unlink()
    except FileNotFoundError:
        pass
""",
    "a.js": "try { a() } catch (e) { /* fine */ }\np.catch(() => {})\ntry { a() } catch (e) { report(e) }\n",
    "a.ts": "try { a() } catch (e) { return null }\np.catch((e) => undefined)\ntry { a() } catch (e) { throw e }\n",
    "a.tsx": "const x = <b>{f()}</b>\ntry { a() } catch {}\n",
    "a.rs": """\
fn f() {
    g().ok();
    let x = g().ok();
    let _ = g();
    let _ = guard;
    let y = g().parse::<u8>().unwrap_or_default();
    match g() { Ok(v) => v, Err(_) => {} }
    match g() { Ok(v) => v, Err(e) => { log(e) } }
}
""",
    "a.go": """\
package p

func f() error {
	if err != nil {
	}
	if err := g(); err != nil {
		return nil
	}
	if err != nil {
		return err
	}
	x, _ := os.ReadFile(p)
	use(x)
	return nil
}
""",
    "bin/a": "#!/usr/bin/env bash\nmake || true\nset +e\nmake || exit 1\n",
}  # fmt: skip


def test_silent_failures_in_every_language(look: Look) -> None:
    """A failure that leaves no trace is seen in each language, and one that is handled is not."""
    scan = look(SILENT, engines="ast-grep")
    assert scan.failed == ()
    assert sorted((item.path, item.line, item.rule, item.level.name) for item in scan.findings) == [
        ("a.go", 4, "go-err-ignored", "RED"),
        ("a.go", 7, "go-err-to-nil", "RED"),
        ("a.go", 12, "go-err-discarded", "RED"),
        ("a.js", 1, "js-swallowed", "RED"),
        ("a.js", 2, "js-promise-swallowed", "RED"),
        ("a.py", 8, "py-swallowed", "RED"),
        ("a.py", 16, "py-swallowed", "RED"),
        ("a.py", 21, "py-suppressed", "RED"),
        ("a.py", 28, "py-passed-over", "RED"),
        ("a.py", 35, "py-cause-kept", "GREEN"),
        ("a.py", 47, "py-passed-over", "RED"),
        ("a.py", 54, "py-error-to-none", "YELLOW"),
        ("a.rs", 2, "rust-result-dropped", "RED"),
        ("a.rs", 4, "rust-result-discarded", "RED"),
        ("a.rs", 6, "rust-default-for-error", "RED"),
        ("a.rs", 7, "rust-err-ignored", "RED"),
        ("a.ts", 1, "js-swallowed", "RED"),
        ("a.ts", 2, "js-promise-swallowed", "RED"),
        ("a.tsx", 2, "js-swallowed", "RED"),
        ("bin/a", 2, "sh-or-true", "RED"),
        ("bin/a", 3, "sh-errors-off", "RED"),
    ]


@pytest.mark.parametrize(
    "body",
    [
        'except Exception:\n        log.exception("no")\n        return None',
        "except Exception as error:\n        return Failure(error)",
        "except Exception:\n        undo()\n        raise",
        "except FileNotFoundError:\n        pass",
    ],
)
def test_a_handled_error_is_no_silent_failure(look: Look, body: str) -> None:
    """Logging, raising, handing the error on, or expecting it by name is handling."""
    code = f"def f(x):\n    try:\n        return g(x)\n    {body}\n"
    assert [item for item in look({"a.py": code}, engines="ast-grep").findings if item.level is Level.RED] == []


def test_ruff_judges(look: Look) -> None:
    """Bugs and unsafe calls are red, ten-second matters become red, and the fix of one line comes along."""
    code = 'def f(x, y=[]):\n    z(eval(x))\n    if x == 1: print(f"é😀", f"{y}")\n    return not x in y\n'
    found = {item.rule: item for item in look({"a.py": code}, engines="ruff").findings}
    assert {rule: (item.line, item.level.name, item.effective_level.name) for rule, item in found.items()} == {
        "B006": (1, "RED", "RED"),
        "F821": (2, "RED", "RED"),
        "S307": (2, "RED", "RED"),
        "F541": (3, "YELLOW", "RED"),
        "E713": (4, "YELLOW", "RED"),
    }
    assert found["F541"].suggestion == '    if x == 1: print("é😀", f"{y}")'
    assert found["E713"].suggestion == "    return x not in y"


def test_a_fix_of_many_lines_is_no_suggestion(look: Look) -> None:
    """What takes more than the line to mend is left to the author."""
    scan = look({"a.py": "from os import (\n    path,\n    sep,\n)\n\nx = path\n"}, engines="ruff")
    assert [(item.rule, item.line, item.suggestion) for item in scan.findings] == [("F401", 3, None)]


def test_what_does_not_parse_is_red(look: Look) -> None:
    """A syntax error is shown on the first added line, says where it is, and is said once for each file."""
    files = {"a.py": "x = 1\n\ndef f(:\n", "b.sh": "#!/bin/sh\nx=$(ls\n", "c.yml": "a: [1\nb: 2\n", "d.py": "def f(:\n"}
    scan = look(files, added={"a.py": [2], "b.sh": [1], "c.yml": [1], "d.py": []})
    broken = [(item.path, item.line, item.level, item.category) for item in scan.findings]
    assert broken == [
        ("a.py", 2, Level.RED, Category.BROKEN),
        ("b.sh", 1, Level.RED, Category.BROKEN),
        ("c.yml", 1, Level.RED, Category.BROKEN),
        ("d.py", 0, Level.RED, Category.BROKEN),
    ]
    assert scan.findings[0].why.startswith("Line 3: ")


SECRETS = {
    "AKIA" + "IOSFODNN7EXAMPLQ": "key",
    "ghp_" + "16C7e42F292c6912E7710c838347Ae178B4a": "x",
    "hunter2" + "secret": "password",
}


def test_secrets_are_found_and_never_repeated(look: Look) -> None:
    """Each secret on an added line is red, and no word of it is said again."""
    lines = [f'{name} = "{secret}"; import sys' for secret, name in SECRETS.items()]
    scan = look({"a.py": "\n".join(lines) + "\n"}, engines="detect-secrets ruff")
    leaks = [(item.line, item.level) for item in scan.findings if item.category is Category.LEAK]
    assert leaks == [(1, Level.RED), (2, Level.RED), (3, Level.RED)]
    for secret in SECRETS:
        assert secret not in repr(scan)


def test_a_secret_that_was_there_before_does_not_hide_its_copy(look: Look) -> None:
    """A secret is reported where it was added, though the same one stands on an old line above."""
    line = f'key = "{next(iter(SECRETS))}"\n'
    scan = look({"a.py": line * 2}, added={"a.py": [2]}, engines="detect-secrets")
    assert [item.line for item in scan.findings] == [2]


def test_made_up_secrets_are_judged_mildly(look: Look) -> None:
    """What only looks like a password is nothing in tests, and names of secrets and digests are none at all."""
    line = 'password = "hunter2' + 'secret"\n'
    digest = 'sha256 = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"\n'
    named = "secretName: my-own-tls\n"
    told = 'password = "hunter2' + 'secret"  # sha256, secret_name: x\n'
    random = 'x = "a3f1c9d84b6e27f05d9c8e7b1a2f3c4d5e6f7a8b"\n'
    files = {"tests/test_a.py": line + random, "b.py": digest, "c.yml": named, "d.py": random, "e.py": told}
    scan = look(files, engines="detect-secrets")
    assert [(item.path, item.line, item.level) for item in scan.findings] == [
        ("e.py", 1, Level.RED),
        ("d.py", 1, Level.YELLOW),
    ]


def test_shellcheck_judges(look: Look) -> None:
    """What goes wrong is said with the fix of one line; what is only style is not."""
    code = '#!/bin/bash\ncd "$1"\nfor f in $(ls); do echo "$f"; done\necho $1\nx=`date`\n'
    scan = look({"a.sh": code}, engines="shellcheck")
    assert [(item.line, item.rule, item.level, item.effective_level, item.suggestion) for item in scan.findings] == [
        (2, "SC2164", Level.YELLOW, Level.RED, 'cd "$1" || exit'),
        (3, "SC2045", Level.RED, Level.RED, None),
        (4, "SC2086", Level.YELLOW, Level.RED, 'echo "$1"'),
    ]


def test_yamllint_judges(look: Look) -> None:
    """A key that stands twice is red, a value that is not what it seems is yellow, looks do not matter."""
    scan = look({"a.yml": "a:   1\na: 2\nb: yes\non: [push ]   \n"}, engines="yamllint")
    assert [(item.line, item.rule, item.level) for item in scan.findings] == [
        (2, "key-duplicates", Level.RED),
        (3, "truthy", Level.YELLOW),
    ]


def test_a_change_cannot_switch_its_reviewer_off(look: Look) -> None:
    """Neither a configuration in the repository nor a comment makes an engine look away."""
    files = {
        "a.py": "# ruff: noqa\nimport os  # noqa\ntry:\n    f()\nexcept Exception:  # ast-grep-ignore\n    pass\n",
        "b.sh": '#!/bin/sh\n# shellcheck disable=SC2164\ncd "$1"\n',
        "c.yml": "# yamllint disable-file\na: 1\na: 2\n",
        "d.py": 'password = "hunter2' + 'secret"  # pragma: allowlist secret\n',
        "ruff.toml": 'exclude = ["*.py"]\n',
        "pyproject.toml": '[tool.ruff]\nexclude = ["*"]\n',
        "sgconfig.yml": "ruleDirs: []\n",
        ".shellcheckrc": "disable=all\n",
        ".yamllint": "rules: {}\n",
        ".gitignore": "*\n",
        ".ignore": "*\n",
        ".secrets.baseline": "{}\n",
    }
    scan = look(files)
    assert scan.failed == ()
    assert {(item.path, item.rule) for item in scan.findings} >= {
        ("a.py", "F401"),
        ("a.py", "py-swallowed"),
        ("b.sh", "SC2164"),
        ("c.yml", "key-duplicates"),
        ("d.py", "Secret Keyword"),
    }


def test_a_shell_may_still_be_named(look: Look) -> None:
    """The comment that says which shell a script is for is heard."""
    scan = look({"a.sh": "# shellcheck shell=dash\n[[ $1 == x ]]\n"}, engines="shellcheck")
    assert [item.rule for item in scan.findings] == ["SC3010"]


def test_hostile_names_are_only_names(look: Look) -> None:
    """A file's name is no option, no glob and no second line of an engine's answer."""
    names = ["-rf.py", "--config=x.py", "a\nb.py", "*.py", "ü b.py", "a:1:1: [error].yml", "x'\"$(id).sh"]
    contents = {".py": "import os\n", ".yml": "a: 1\na: 2\n", ".sh": '#!/bin/sh\ncd "$1"\n'}
    scan = look({f"d/{name}": contents[name[name.rindex(".") :]] for name in names})
    assert scan.failed == scan.skipped == ()
    assert {item.path for item in scan.findings} == {f"d/{name}" for name in names}


def test_every_engine_has_a_rank() -> None:
    """Of any two engines it is known whose words are kept."""
    assert {*(engine.name for engine in ENGINES), CONFLICTS} <= set(ORDER)
    assert {engine for engine, _ in rules()} <= set(ORDER)


def test_two_engines_one_voice(look: Look) -> None:
    """What two engines say of one line and kind of matter is said once, by the one that explains it best."""
    code = "def f():\n    try:\n        g()\n    except Exception:\n        pass\n"
    alone = look({"a.py": code}, engines="ruff")
    assert {item.rule for item in alone.findings if item.line == 4} == {"S110", "BLE001"}
    both = look({"a.py": code}, engines="ruff ast-grep")
    assert [item.rule for item in both.findings if item.line == 4] == ["py-swallowed"]
