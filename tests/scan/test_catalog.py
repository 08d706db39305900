"""Our own rules: each sees what it is about, lets the mended code pass, and has words of its own."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import yaml

from bots.models import Category, Level, Scan
from hive.scan.catalog import patterns

Look = Callable[..., Scan]

EXAMPLES: Mapping[str, Mapping[str, list[str]]] = yaml.safe_load(
    Path(__file__).with_name("examples.yml").read_text("utf-8")
)
FILES = {
    "Go": "{name}.go",
    "Python": "{name}.py",
    "JavaScript": "{name}.js",
    "Rust": "{name}.rs",
    "Bash": "{name}.sh",
    "Nix": "{name}.nix",
    "Yaml": "{name}.yml",
    "Unit": "{name}.service",
    "Dockerfile": "{name}.dockerfile",
}
FRAMES = {
    "Go": ("package p\n\nfunc f() (int, error) {\n", "\n\treturn 0, nil\n}\n"),
    "Rust": ("fn f() -> Result<(), E> {\n", "\n    Ok(())\n}\n"),
    "Unit": ("[Service]\n", "\n"),
}
WHOLE = re.compile(r"^(?:package |async fn |fn |\[)")


def framed(language: str, snippet: str) -> str:
    """A snippet as a file."""
    before, after = ("", "\n") if WHOLE.match(snippet) else FRAMES.get(language, ("", "\n"))
    return before + snippet + after


@pytest.mark.parametrize("language", EXAMPLES)
def test_each_rule_sees_its_own_and_lets_the_mended_pass(look: Look, language: str) -> None:
    """Each rule is found in code that it is about, and not in the same code once it is mended."""
    examples = EXAMPLES[language]
    pairs = {f"{word}/{rule}": pair[at] for rule, pair in examples.items() for at, word in enumerate(("bad", "good"))}
    files = {FILES[language].format(name=name): framed(language, snippet) for name, snippet in pairs.items()}
    scan = look(files, engines="ast-grep directives")
    assert scan.failed == ()
    found = {
        (Path(item.path).parent.name, Path(item.path).stem)
        for item in scan.findings
        if item.rule == Path(item.path).stem
    }
    praise = {rule for rule in examples if patterns()[rule].level == "green"}
    assert {rule for word, rule in found if word == "bad"} - praise == set(examples) - praise
    assert {rule for word, rule in found if word == "good"} - praise == set()
    for rule in praise:  # one of them is told of a change, so each is looked at alone
        bad, good = (framed(language, snippet) for snippet in examples[rule])
        told = [look({FILES[language].format(name="a"): text}, engines="ast-grep") for text in (bad, good)]
        assert [rule in {item.rule for item in scan.findings} for scan in told] == [True, False]


def test_typescript_has_the_rules_of_javascript(look: Look) -> None:
    """What is a fault in JavaScript is one in TypeScript and TSX, too."""
    pairs = EXAMPLES["JavaScript"]
    files = {f"{rule}.{suffix}": pair[0] + "\n" for rule, pair in pairs.items() for suffix in ("ts", "tsx")}
    found = {item.path for item in look(files, engines="ast-grep").findings if item.rule == Path(item.path).stem}
    assert found == set(files)


def test_every_rule_has_an_example() -> None:
    """There is no rule without code that it is about."""
    shown = {rule for examples in EXAMPLES.values() for rule in examples}
    assert shown == {pattern.id for pattern in patterns().values() if pattern.language != "Flow"}


def test_every_rule_has_words_of_its_own() -> None:
    """A rule says what is wrong in a few words, then why and how to mend it; its level and category are known."""
    for pattern in patterns().values():
        assert Category(pattern.category)
        assert pattern.level.upper() in Level.__members__
        assert 0 < len(pattern.title) <= 60, pattern.id
        assert not pattern.title.endswith("."), pattern.id
        assert pattern.why.endswith((".", ".)")), pattern.id
        assert pattern.category == "praise" or len(pattern.why) >= 60, pattern.id


def test_a_test_may_do_what_a_program_may_not(look: Look) -> None:
    """Rules about care with errors and names mean nothing in a test."""
    code = "package p\n\nfunc f() {\n\traw, _ := os.ReadFile(name)\n\tuse(raw)\n}\n"
    scan = look({"a.go": code, "a_test.go": code}, engines="ast-grep")
    assert [(item.path, item.line) for item in scan.findings] == [("a.go", 4)]


def test_the_line_inside_of_a_text_is_shown(look: Look) -> None:
    """A fault inside of a script that is a value is shown on its own line."""
    steps = "jobs:\n  a:\n    steps:\n      - run: |\n          make\n          make audit || true\n"
    scan = look({"a.yml": steps}, engines="ast-grep")
    assert [(item.line, item.rule) for item in scan.findings] == [(6, "yaml-or-true")]


def test_directives_over_several_lines(look: Look) -> None:
    """A directive that goes on over lines is one, and what it does wrong is shown where it does."""
    image = "FROM debian:12\nRUN apt-get update \\\n    # the key first\n    && curl -fsSL https://x.example | sh \\\n    && true\n"
    unit = "[Service]\nExecStart=/bin/a \\\n  --all \\\n  | tee b\n"
    scan = look({"Dockerfile": image, "a.service": unit}, engines="directives")
    assert sorted((item.path, item.line, item.rule) for item in scan.findings) == [
        ("Dockerfile", 4, "docker-piped-to-shell"),
        ("a.service", 2, "unit-shell-words"),
    ]


HANDLERS = {
    "a.py": ("try:\n    f()\nexcept Exception as error:\n    {}\n", "raise Unreadable from error", "pass"),
    "a.js": ("try {{\n  f()\n}} catch (error) {{\n  {}\n}}\n", "throw new Error('no', {{ cause: error }})", "// fine"),
    "a.go": (
        "package p\n\nfunc f() error {{\n\tif err := g(); err != nil {{\n\t\t{}\n\t}}\n\treturn nil\n}}\n",
        "return err",
        "return nil",
    ),
    "a.rs": (
        "fn f() {{\n    match g() {{\n        Ok(v) => h(v),\n        {}\n    }}\n}}\n",
        "Err(e) => log(e),",
        "Err(_) => {{}}",
    ),
}


def test_a_silent_failure_in_a_handler_that_was_there(change: Callable[..., Scan]) -> None:
    """A handler that loses its only line of sense is the change's, and shown on that line."""
    before = {name: code.format(was) for name, (code, was, _) in HANDLERS.items()}
    after = {name: code.format(now.format()) for name, (code, _, now) in HANDLERS.items()}
    scan = change(before, after)
    silent = [item for item in scan.findings if item.category is Category.SILENT_FAILURE and item.level is Level.RED]
    assert sorted((item.path, item.line) for item in silent) == [("a.go", 5), ("a.js", 4), ("a.py", 4), ("a.rs", 4)]


HOSTILE = r"""
import resource

from hive.scan.catalog import patterns

resource.setrlimit(resource.RLIMIT_CPU, (60, 60))
words = ("curl ", "curl -a ", " ", "( ", "|| ", "a; ", "sudo ", "grep ", "\"'", "/a", "${{ github ", "_", "\n", "- ", "x=")
for pattern in (each for each in patterns().values() if each.at):
    for word in words:
        for text in (word * 20_000, "\n".join([word * 100] * 100)):
            pattern.places(text)
"""
"""Within a minute of a processor, or it is killed: a second is enough."""


def test_no_text_keeps_an_expression_busy() -> None:
    """Strangers write what is searched, and the worker itself searches it: no text takes it longer than it is long."""
    done = subprocess.run([sys.executable, "-c", HOSTILE], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
