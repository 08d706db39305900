"""A host that changes below a container: it is seen, said once, and built again only when somebody says so and it can be."""

from __future__ import annotations

from pathlib import Path

import pytest

from hive.app.drift_watch import DriftWatch
from hive.config import Limits
from hive.ledger import Generation
from hive.outbox.incidents import IncidentReporter
from hive.reconcile.drift import Drift
from hive.reconcile.reconciler import Reconciler
from tests.reconcile.test_reconciler import REPO, Site, site

__all__ = ["site"]


@pytest.fixture
def programs(site: Site, tmp_path: Path) -> Path:
    """A folder of the host's programs, from which the running container has `zipper`."""
    folder = tmp_path / "programs"
    folder.mkdir()
    (folder / "zipper").symlink_to("/usr/bin/gzip")
    path = (str(folder), "/usr/local/bin", "/usr/bin", "/bin")
    site.reconciler = Reconciler(site.ledger, site.containers, Limits(), packages_path=path, probe_seconds=30.0)
    site.reconciler.watch(site.target).next_look = float("inf")
    sha = site.origin.commit({"agent.yaml": "lane: app\npackages: [zipper]\n"})
    site.deploy(sha)
    site.until(lambda: site.state()[0] == "deployed", answers=sha)
    return folder


def issues(site: Site) -> list[str]:
    """The words that operators are to read, oldest first."""
    rows = site.ledger._db.rows("SELECT payload FROM effects WHERE kind IN ('open_issue', 'add_to_issue') ORDER BY id")
    return [row["payload"] for row in rows]


def drift(site: Site) -> Drift:
    """What looks for drift on this host."""
    return Drift(site.ledger, site.containers, site.reconciler.planner)


def found_in(site: Site) -> tuple[str, ...] | None:
    """The drift of iris."""
    return drift(site).of("iris", site.target.mirror, "main")


def rebuild(site: Site, sha: str) -> None:
    """Let what has drifted be built again."""
    drift(site).discard("iris", site.target.mirror, "main", Generation(sha))


def test_a_host_that_stands_still_has_no_drift(site: Site, programs: Path) -> None:
    """What was just built is what its commit makes."""
    assert found_in(site) == ()


def test_what_the_host_changed_is_named(site: Site, programs: Path) -> None:
    """A program that is another one, and one that is gone, each in a sentence."""
    (programs / "zipper").unlink()
    (programs / "zipper").symlink_to("/usr/bin/xz")
    there = Path("/usr/bin/gzip").resolve(), Path("/usr/bin/xz").resolve()
    assert found_in(site) == (f"zipper: the container has {there[0]}, and its commit makes {there[1]}",)
    (programs / "zipper").unlink()
    found = found_in(site)
    assert found is not None
    assert "this host has no 'zipper'" in found[0]


def test_what_was_written_into_an_artifact_is_named(site: Site, programs: Path) -> None:
    """A setting that no commit made, a command that nobody asked for, and a file that cannot be read."""
    artifact = site.containers.dirs("iris").gens / site.containers.running("iris")
    spec = artifact / "agent.json"
    text = spec.read_text()
    spec.write_text(text.replace('"max_steps": 40', '"max_steps": 400, "one more": 1'))
    (artifact / "bin" / "extra").symlink_to("/usr/bin/env")
    assert found_in(site) == (
        "extra: the container has /usr/bin/env, and its commit makes none here",
        "max_steps of agent.json is not what the commit says",
    )
    spec.write_text("{")
    found = found_in(site)
    assert found is not None
    assert found[-1].startswith("agent.json cannot be read")


def test_it_is_said_once_and_closed(site: Site, programs: Path) -> None:
    """One issue while it lasts; what cannot be told closes none, and what is over does."""
    watch = DriftWatch(drift(site), IncidentReporter(site.ledger, "core", lambda _: REPO))
    artifact = site.containers.dirs("iris").gens / site.containers.running("iris")
    (artifact / "bin" / "zipper").unlink()
    for _ in range(3):
        watch.look("acme", site.target)
        watch._next_look.clear()
        watch._free_at = 0.0
    assert len(issues(site)) == 1
    assert "zipper: its commit makes" in issues(site)[0]
    site.containers.stop("iris")
    watch.look("acme", site.target)
    watch._next_look.clear()
    watch._free_at = 0.0
    assert len(issues(site)) == 1
    sha = artifact.name
    rebuild(site, sha)
    site.until(lambda: site.containers.answered("iris") == sha, answers=sha)
    watch.look("acme", site.target)
    assert len(issues(site)) == 2
    assert "runs what its commit makes here" in issues(site)[1]


def test_what_cannot_be_made_again_is_kept(site: Site, programs: Path) -> None:
    """A rebuild takes nothing away that this host cannot replace."""
    artifact = site.containers.dirs("iris").gens / site.containers.running("iris")
    (programs / "zipper").unlink()
    rebuild(site, artifact.name)
    assert (artifact / "bin" / "zipper").is_symlink()
    (programs / "zipper").symlink_to("/usr/bin/xz")
    rebuild(site, artifact.name)
    assert not artifact.exists()
