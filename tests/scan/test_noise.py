"""What the review does not say, and what it does not keep to itself: each of these was once wrong."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from bots.models import Category, Level, Scan
from hive.scan.analysis import ENGINES
from hive.scan.hadolint import readable
from hive.scan.rules import texts_of
from hive.scan.sandbox_runner import SandboxRunner

Look = Callable[..., Scan]

KEY = "AKIA" + "IOSFODNN7EXAMPLQ"
PASSWORD = "hunter2" + "secret"


def said(scan: Scan) -> list[tuple[str, int, str]]:
    """What was found that wants something."""
    assert scan.failed == scan.skipped == ()
    return [(item.path, item.line, item.rule) for item in scan.findings if item.level is not Level.GREEN]


def test_digests_of_packages_are_no_secrets(look: Look) -> None:
    """Files of package managers are full of digests; a real key in one is still a secret."""
    digest = "h1:AcyzWT5KrDzQpTkUtXcXYOZsZ1mB8Mqnnf+OOKYLJmU="
    files = {
        "go.sum": f"example.org/x v1.0.0 {digest}\nexample.org/x v1.0.0/go.mod {digest}\n",
        "uv.lock": f'hash = "sha256:{"0a1b2c3d4e5f6789" * 4}"\nkey = "{KEY}"\n',
        "package-lock.json": f'{{"integrity": "sha512-{"Qx7Zk2Lp9Vb4Nw8R" * 5}=="}}\n',
    }
    assert said(look(files, engines="detect-secrets")) == [("uv.lock", 2, "AWS Access Key")]


def test_each_line_with_a_secret_is_said_once(look: Look) -> None:
    """The same secret on three lines is three findings; a line on which two detectors agree is one."""
    env = f'PASSWORD="{PASSWORD}"\nOTHER=1\nDB_PASSWORD="{PASSWORD}"\nurl = "https://mara:{PASSWORD}@example.org"\n'
    assert [line for _, line, _ in said(look({"a.env": env}, engines="detect-secrets"))] == [1, 3, 4]


def test_a_word_of_a_language_is_no_secret(look: Look) -> None:
    """What stands in no quotes in code, and what is true or required in a configuration, is no password."""
    nix = "{\n  users.allowNoPasswordLogin = true;\n  secrets = map f cfg.credentials;\n  x = true;\n  y = cfg.credentials;\n}\n"
    files = {"a.nix": nix, "b.yml": "password: required\n", "c.nix": f'{{ password = "{PASSWORD}"; }}\n'}
    assert said(look(files, engines="detect-secrets")) == [("c.nix", 1, "Secret Keyword")]


def test_words_for_people_are_no_secret(look: Look) -> None:
    """A sentence, an address without a password and a name of itself are said for people; a password is none of them."""
    python = (
        '"""Its address, without a password: `http://127.0.0.1:8080`."""\n'
        'SECRET_BLOCKED = "secret_blocked"\n'
        'TEXTS = {"ANTHROPIC_API_KEY": "Key of the default provider of models. The host reads it."}\n'
        f'PASSWORD = "{PASSWORD}"\n'
        'DB_PASSWORD = "password"\n'
    )
    german = '{"apiSecret": "Verbrauchergeheimnis", "radiusSecret": "тајна реч"}\n'
    files = {"a.py": python, "src/lang/de.json": german, "b.json": '{"apiSecret": "Geheimnis тајна"}\n'}
    assert [(path, line) for path, line, _ in said(look(files, engines="detect-secrets"))] == [("a.py", 4), ("a.py", 5)]


def test_passwords_of_tests_are_made_up(look: Look) -> None:
    """In a test only what a machine made can be a secret; elsewhere a word is one."""
    made = "q8Zt3fLw0vXy7bNc2KsJ"
    files = {
        "tests/test_a.py": f'PASSWORD = "{PASSWORD}"\nDB_PASSWORD = "{made}"\n',
        "a.py": f'PASSWORD = "{PASSWORD}"\n',
    }
    assert [(path, line) for path, line, _ in said(look(files, engines="detect-secrets"))] == [
        ("a.py", 1),
        ("tests/test_a.py", 2),
    ]


def test_names_that_are_kept_for_others(look: Look) -> None:
    """An import that a comment keeps is no remark; one that nobody needs is."""
    text = (
        "import socket  # noqa: F401\nimport os\n"
        "from a import (  # noqa: F401\n    one,\n    two,\n)\n\n\n\n\n\n"
        "from b import (\n    three,  # re-export\n    four,\n)\n"
    )
    assert said(look({"a.py": text}, engines="ruff")) == [("a.py", 2, "F401"), ("a.py", 14, "F401")]


def test_a_request_of_a_test_may_wait(look: Look) -> None:
    """What a server that hangs costs in a test is the test; elsewhere it is the program."""
    text = "import requests\n\nrequests.get('https://a.example')\n"
    assert said(look({"tests/test_a.py": text, "a.py": text}, engines="ruff")) == [("a.py", 3, "S113")]


def test_a_loader_by_another_name(look: Look) -> None:
    """What a variable holds is not known; what is unsafe by its name is."""
    text = "import yaml\n\n_LOADER, text = yaml.CSafeLoader, 'a: 1'\nyaml.load(text, Loader=_LOADER)\nyaml.load(text, Loader=yaml.Loader)\n"
    assert said(look({"a.py": text}, engines="ruff")) == [("a.py", 5, "S506")]


def test_what_a_function_promises_is_no_surprise(look: Look) -> None:
    """None in an error's place is right where the first sentence of the function says when; a loop promises nothing."""
    body = "    try:\n        return read(path)\n    except OSError:\n        return None\n"
    promised = f'def a(path):\n    """What it holds; None if it cannot be read."""\n{body}'
    silent = f'def b(path):\n    """What it holds."""\n{body}'
    skipped = (
        'def c(paths):\n    """All of them; none without a path."""\n'
        "    for path in paths:\n        try:\n            read(path)\n        except OSError:\n            continue\n"
    )
    files = {"a.py": promised, "b.py": silent, "c.py": skipped}
    assert said(look(files, engines="ast-grep")) == [("b.py", 5, "py-passed-over"), ("c.py", 6, "py-passed-over")]


def test_a_checksum_is_no_secret(look: Look) -> None:
    """Whether a file is the one that was meant may be told by time; whether a signature is right may not."""
    text = "import hashlib\nimport hmac\n\nok = hashlib.sha256(raw).hexdigest() == digest\nbad = hmac.new(k, raw, h).hexdigest() == digest\n"
    assert said(look({"a.py": text}, engines="ast-grep")) == [("a.py", 5, "py-compare-mac")]


def test_a_here_document_parses(look: Look) -> None:
    """Hadolint wants an empty line behind a here-document, Docker does not; what Docker cannot read is still said."""
    good = "FROM debian:12\nRUN <<EOT\napt-get update\nEOT\nUSER app\n"
    bad = "FROM debian:12\nRUN true\nWHAT is this\nUSER app\n"
    near = "FROM debian:12\nCOPY <<-'ONE' <<TWO /x/\n\ta\n\tONE\nb\nTWO\nWHAT is this\nUSER app\n"
    files = {"a/Dockerfile": good, "b/Dockerfile": bad, "c/Dockerfile": near}
    assert said(look(files, engines="hadolint")) == [("b/Dockerfile", 3, "DL1000"), ("c/Dockerfile", 7, "DL1000")]


def test_what_stands_beside_a_here_document_is_looked_at(look: Look) -> None:
    """It is on its own line, and a document that never ends, or is empty, changes nothing."""
    text = 'FROM debian:12\nCOPY <<EOT /a\nhello\nEOT\nWORKDIR here\nCMD ["a"]\n'
    assert said(look({"Dockerfile": text}, engines="hadolint")) == [("Dockerfile", 5, "DL3000")]
    for same in (
        "RUN <<EOT\na\n",
        "RUN <<EOT\nEOT\nCMD a\n",
        "RUN echo $((1<<2))\nCMD a\n",
        "CMD a <<B\nc\nB\nd\n",
        "",
    ):
        assert readable(same) == same
    assert readable("RUN <<A\r\nx\r\nA\r\nCMD a").count("\n") == 3


def test_lines_of_yaml_are_those_of_git(look: Look) -> None:
    """A character that ends a line for a reader of YAML and for nobody else moves no finding."""
    text = "a: 'x\u2028y\u2029z\x85'\nb: 1\nb: 2\n"
    assert said(look({"a.yml": text}, engines="yamllint")) == [("a.yml", 3, "key-duplicates")]


def test_shells_that_are_no_shells(look: Look) -> None:
    """A script for zsh is not judged by the rules of another shell, and a licence above the first line parses."""
    licensed = "# A licence.\n#!/bin/sh\ntrue\n"
    scan = look({"a.sh": "#!/bin/zsh\nprint ${(j:,:)a}\n", "b.sh": licensed}, engines="shellcheck")
    assert said(scan) == [("b.sh", 2, "SC1128")]
    assert scan.findings[0].category is not Category.BROKEN


def test_an_excuse_has_a_rule_and_a_reason(look: Look) -> None:
    """A remark is not made where a comment names its rule and says why; without a reason, or for what is red, it is."""
    excused = "#!/bin/sh\n# shellcheck disable=SC2086 # lanes are words\necho $1\n"
    bare = "#!/bin/sh\n# shellcheck disable=SC2086\necho $1\n"
    red = "#!/bin/sh\n# shellcheck disable=SC2068 # it is meant so\necho $@\n"
    python = "S = '0.0.0.0'  # noqa: S104  # for a container\nT = '0.0.0.0'  # noqa: S104\neval(S)  # noqa: S307  it is ours\n"
    scan = look({"a.sh": excused, "b.sh": bare, "c.sh": red, "d.py": python}, engines="shellcheck ruff")
    assert sorted(said(scan)) == [
        ("b.sh", 3, "SC2086"),
        ("c.sh", 3, "SC2068"),
        ("d.py", 2, "S104"),
        ("d.py", 3, "S307"),
    ]


def test_a_crash_is_no_answer(look: Look) -> None:
    """An engine whose status promises findings and that says none has crashed: the file is not reviewed."""
    scan = look({"a.yml": "a: \x01b\n"}, engines="yamllint")
    assert scan.ran == ()
    assert [engine for engine, _ in scan.failed] == ["yamllint"]


def test_a_file_that_an_engine_refuses_is_named(look: Look) -> None:
    """An engine that cannot read one workflow is asked for the others; the one is not reviewed, by its name."""
    good = "on: push\njobs:\n  a:\n    runs-on: x\n    steps:\n      - run: echo '${{ github.event.issue.title }}'\n"
    files = {".github/workflows/a.yml": good, ".github/workflows/b.yml": "on: push\njobs: 3\n"}
    scan = look(files, engines="zizmor")
    assert [(item.path, item.line, item.rule) for item in scan.findings] == [
        (".github/workflows/a.yml", 6, "template-injection")
    ]
    assert scan.failed == (("zizmor", "ended with status 1 on .github/workflows/b.yml"),)


def test_workflows_are_judged_on_any_forge(look: Look) -> None:
    """A workflow is one on Forgejo and Gitea, too; other YAML is none."""
    text = "on: push\njobs:\n  a:\n    runs-on: x\n    steps:\n      - uses: acme/build@main\n      - uses: acme/build@v4\n"
    scan = look({f".{forge}/workflows/a.yaml": text for forge in ("forgejo", "gitea", "other")}, engines="zizmor")
    assert said(scan) == [
        (".forgejo/workflows/a.yaml", 6, "unpinned-uses"),
        (".gitea/workflows/a.yaml", 6, "unpinned-uses"),
    ]


def test_a_line_of_a_long_instruction(look: Look) -> None:
    """A fault in an instruction over several lines is shown on its own line; style is not said."""
    text = "FROM debian:12\nRUN apt-get update && \\\n    apt-get install curl && \\\n    sudo ls\n"
    assert said(look({"Dockerfile": text}, engines="hadolint")) == [
        ("Dockerfile", 3, "DL3014"),
        ("Dockerfile", 4, "DL3004"),
    ]


@pytest.mark.parametrize("name", ["Dockerfile", "Dockerfile.dev", "Containerfile", "build/app.dockerfile"])
def test_dockerfiles_by_any_name(look: Look, name: str) -> None:
    """A Dockerfile is known by the names that builders know."""
    assert said(look({name: "FROM debian:12\nWORKDIR app\n"}, engines="hadolint")) == [(name, 2, "DL3000")]


def test_random_numbers_are_fine_unless_for_secrets(look: Look) -> None:
    """A random number is a fault where it is a secret, and jitter elsewhere."""
    jitter = "import random\n\n\ndef pause():\n    return 1 + random.random()\n"
    token = "import random\n\n\ndef new_token():\n    return random.randint(0, 9)\n"
    assert said(look({"a.py": jitter, "b.py": token}, engines="ruff")) == [("b.py", 5, "S311")]


def test_every_rule_has_its_own_words() -> None:
    """What can be shown says what it is, why it matters and what to do; what does not parse has the parser's message."""
    told = {engine.name: texts_of(engine.name) for engine in ENGINES if texts_of(engine.name)}
    assert set(told) >= {"ruff", "shellcheck", "hadolint", "zizmor", "yamllint"}
    for texts in told.values():
        for rule in texts.values():
            assert 0 < len(rule.title) <= 60
            assert rule.category is Category.BROKEN or (rule.why.count(".") >= 1 and len(rule.why) >= 25), rule


@pytest.mark.parametrize("engine", ["ruff", "hadolint", "zizmor"])
def test_a_rule_without_words_is_not_shown(look: Look, tmp_path: Path, engine: str) -> None:
    """An engine that says something new is not quoted: it says nothing that we would not say ourselves."""
    answers: dict[str, Sequence[object]] = {
        "ruff": [],
        "hadolint": [{"code": "DL9999", "file": "0/file.dockerfile", "line": 1, "level": "error", "message": "x"}],
        "zizmor": [{"ident": "new", "determinations": {"confidence": "High", "severity": "High"}, "locations": []}],
    }
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / engine).write_text(f"#!/bin/sh\necho '{json.dumps(answers[engine])}'\n")
    (folder / engine).chmod(0o755)
    on = SandboxRunner((folder, Path("/usr/bin"), Path("/bin")))
    files = {"a.py": "x = 1\n", "Dockerfile": "FROM x\n", ".github/workflows/a.yml": "on: push\n"}
    assert said(look(files, engines=engine, on=on)) == []


def test_fixed_words_in_a_statement(look: Look) -> None:
    """A parameter that can be nothing but words of the code is no value of others; each that is something else, or becomes it, is."""
    choices = 'from typing import Annotated, Literal\n\nOrder = Literal["name", "id"]\n'
    statement = 'f"SELECT a FROM b ORDER BY {order} {way}"'
    way = 'way: Literal["asc", "desc"] = "asc"'
    bodies = {
        f'def f(order: Literal["name", "id"], {way}):\n    return db.execute({statement})\n': False,
        f'def f(order: Annotated[Literal["name", "id"], Query()], {way}):\n    return db.execute({statement})\n': False,
        f"async def f(order: Order, {way}):\n    return await db.execute({statement})\n": False,
        f"def f(order: Order, way: str):\n    return db.execute({statement})\n": True,
        f"def f(order: Order, {way}):\n    order = read()\n    return db.execute({statement})\n": True,
        f"def f(order: Other, {way}):\n    return db.execute({statement})\n": True,
        f"def f(order: Order | str, {way}):\n    return db.execute({statement})\n": True,
        f"def g(order: Order):\n    return order\n\n\ndef f(order, {way}):\n    return db.execute({statement})\n": True,
        'def f(order: Order):\n    return db.execute(f"SELECT a FROM b ORDER BY {order.x} {order}")\n': True,
    }
    files = {f"{at}.py": f"{choices}\n\n{body}" for at, body in enumerate(bodies)}
    found = said(look(files, engines="ruff ast-grep"))
    assert {path for path, _, rule in found if rule == "S608"} == {
        f"{at}.py" for at, is_open in enumerate(bodies.values()) if is_open
    }


def test_a_failure_that_is_handled_is_not_said(look: Look) -> None:
    """Logged and returned, explained, in a walk that goes on, or as one of many in a loop: nothing goes on as if it had worked."""
    go = {
        "told": "func f() error {\n\tif err != nil {\n\t\tlog.Print(err)\n\t\treturn err\n\t}\n\treturn nil\n}\n",
        "why": "func f() error {\n\tif err != nil {\n\t\t// A cache is no must.\n\t\tlog.Print(err)\n\t\treturn nil\n\t}\n\treturn g()\n}\n",
        "walk": "func f() error {\n\treturn filepath.Walk(p, func(p string, i os.FileInfo, err error) error {\n\t\tif err != nil {\n\t\t\tlog.Print(err)\n\t\t\treturn nil\n\t\t}\n\t\treturn g(p)\n\t})\n}\n",
        "none": "func f() {\n\tif err != nil {\n\t\tlog.Print(err)\n\t\treturn\n\t}\n}\n",
        "known": 'func f() (string, bool) {\n\tif err != nil {\n\t\tlog.Print(err)\n\t\treturn "", false\n\t}\n\treturn x, true\n}\n',
        "rune": "func f() {\n\tr, _ = utf8.DecodeRuneInString(s)\n\tt, _ := utf8.DecodeLastRune(b)\n\tv, _ := m.LoadOrStore(k, r+t)\n}\n",
        "format": 'func f() {\n\tlog.Printf("%[1]d %[1]x", n)\n\tlog.Printf("%*d", w, n)\n\tlog.Printf("%d%%", n)\n\tlog.Printf(text, n, m)\n\tlog.Printf("%v "+more, n, m)\n}\n',
    }
    handler = "except OSError as error:\n{i}    log.warning('%s', error)\n"
    python = {
        "loop": f"def f(paths):\n    for path in paths:\n        try:\n            text = read(path)\n        {handler.format(i='        ')}            text = ''\n        use(text)\n",
        "named": f"def f():\n    try:\n        return read()\n    {handler.format(i='    ')}        return []\n",
        "other": f"def f():\n    try:\n        text = read()\n    {handler.format(i='    ')}        text = DEFAULT\n    use(text)\n",
        "again": f"def f(mail):\n    try:\n        send(mail)\n    {handler.format(i='    ')}        raise\n    mail.mark_sent()\n",
        "back": f"def f(mail):\n    try:\n        send(mail)\n    {handler.format(i='    ')}        return\n    mail.mark_sent()\n",
        "next": f"def f(mail):\n    try:\n        send(mail)\n    {handler.format(i='    ')}    close(mail)\n",
        "percent": 'def f(x, pair):\n    print("%s %s" % x, "%s %s" % f(pair), "%d" % len(x), "%(a)s %(b)s" % dict(x), n % 3, "" % {})\n',
    }
    files = {f"{name}.go": f"package p\n\n{text}" for name, text in go.items()}
    files |= {f"{name}.py": text for name, text in python.items()}
    assert said(look(files, engines="ast-grep")) == []
