"""What is shipped: one wheel, three names of its own, every file that runs, and dependencies by hash."""

from __future__ import annotations

import importlib.metadata
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
LINK = re.compile(r'(?:\]\(|src=")([^)\s"]+)[)"]')
PIN = re.compile(r"^([A-Za-z0-9._-]+)==([^ ;\\]+)")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The names of the files in the wheel."""
    target = tmp_path_factory.mktemp("wheel")
    build = "import sys, hatchling.build as b; print(b.build_wheel(sys.argv[1]))"
    done = subprocess.run(
        [sys.executable, "-c", build, str(target)], cwd=ROOT, capture_output=True, text=True, check=True
    )
    with zipfile.ZipFile(target / done.stdout.strip().splitlines()[-1]) as file:
        return file.namelist()


def test_names_are_ours_alone() -> None:
    """Each import name belongs to this distribution and to no other."""
    owners = importlib.metadata.packages_distributions()
    assert PROJECT["import-names"] == ["bots", "forge", "hive"]
    for name in PROJECT["import-names"]:
        assert set(owners.get(name, ["forgehive"])) == {"forgehive"}, owners.get(name)


def test_is_never_uploaded() -> None:
    """The distribution is an application that owns its environment."""
    assert "Private :: Do Not Upload" in PROJECT["classifiers"]


@pytest.mark.parametrize(
    "name",
    [
        "bots/prompts/agent.md",
        "bots/py.typed",
        "forge/embedded/schema.sql",
        "forge/embedded/static/style.css",
        "forge/embedded/templates/layout.html",
        "forge/py.typed",
        "hive/agent/__main__.py",
        "hive/demo/project/.hive.yaml",
        "hive/demo/project/apiary/honey.py",
        "hive/demo/takes/honey-1/apiary/page.py",
        "hive/gateway/prices.json",
        "hive/ledger/migrations/0001_initial.sql",
        "hive/ledger/zlib_dictionary.txt",
        "hive/provision/template/agent.yaml",
        "hive/py.typed",
        "hive/scan/catalog/go.yml",
        "hive/scan/taint/flows.yml",
    ],
)
def test_wheel_holds_what_runs(wheel: list[str], name: str) -> None:
    """Files that are read at run time are shipped."""
    assert name in wheel


def test_wheel_holds_nothing_else(wheel: list[str]) -> None:
    """No tests, no benchmarks, no caches."""
    tops = {name.split("/")[0] for name in wheel}
    assert tops == {"bots", "forge", "hive", f"forgehive-{PROJECT['version']}.dist-info"}
    assert not [name for name in wheel if "__pycache__" in name or name.endswith(".pyc")]


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-dev.lock"])
def test_locks_pin_by_hash(lock: str) -> None:
    """Every dependency is pinned with its hashes, and no address of a registry stands there."""
    text = (ROOT / lock).read_text()
    assert "://" not in text
    entries = re.split(r"\n(?=\S)", text)
    pins = [entry for entry in entries if PIN.match(entry)]
    assert len(pins) > 50
    assert all("--hash=sha256:" in entry for entry in pins)


def test_locks_hold_what_is_declared() -> None:
    """What the project needs, extras included, is in the lock."""
    text = (ROOT / "requirements.lock").read_text().lower()
    wanted = PROJECT["dependencies"] + [need for extra in PROJECT["optional-dependencies"].values() for need in extra]
    for need in wanted:
        name = re.split(r"[><=;\[ ]", need)[0].lower().replace("_", "-")
        if name == PROJECT["name"]:
            continue  # an extra that includes others
        assert re.search(rf"^{re.escape(name)}==", text, re.MULTILINE), name


def test_documents_link_to_what_is_there() -> None:
    """Every relative link of every document leads to a file, and to a heading if it names one."""
    documents = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
    links = [(page, link) for page in documents for link in LINK.findall(page.read_text()) if "://" not in link]
    assert len(links) > 10
    for page, link in links:
        path, _, heading = link.partition("#")
        target = page.parent / path if path else page
        assert target.exists(), f"{page.name}: {link}"
        if heading:
            anchors = [_baseline(line) for line in target.read_text().splitlines() if line.startswith("#")]
            assert heading in anchors, f"{page.name}: {link}"


def _baseline(heading: str) -> str:
    words = re.sub(r"[^\w -]", "", heading.lstrip("#").strip().lower())
    return words.replace(" ", "-")


def test_nothing_happens_on_import() -> None:
    """Every module can be imported with an empty environment, silently."""
    modules = [
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        for package in ("bots", "forge", "hive")
        for path in (ROOT / package).rglob("*.py")
        if not {"project", "takes"} & set(path.parts) and path.name != "__main__.py"
    ]
    code = "import importlib, sys\nfor name in sys.argv[1:]: importlib.import_module(name)"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code, *modules],
        capture_output=True,
        text=True,
        env={"PATH": ""},
        cwd=ROOT,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
