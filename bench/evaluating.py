"""What confinement adds to the evaluation of an agent's module: beside nix, asked the same without any."""

from __future__ import annotations

import shutil
import statistics
import subprocess
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.row import Gap, Row, Unmeasured, at_most_times
from hive.git_mirror.mirror import Login, Mirror
from hive.reconcile.nix_evaluation import MODULE, NixEvaluator, NoEvaluator

TURNS = 9
SERVICES = {"of 20 services": 20, "of 5,000 services, as long as a small system takes": 5000}
TEXT = """\
let
  service = n: {
    name = "service-${toString n}";
    value = { enable = n / 2 * 2 == n; port = 8000 + n; words = map (w: "${w}-${toString n}") [ "a" "b" "c" ]; };
  };
in
{ packages = [ "git" "jq" ]; services = builtins.listToAttrs (map service (builtins.genList (n: n) SERVICES)); }
"""
BARE = ("nix", "--extra-experimental-features", "nix-command", "eval", "--json", "--store", "dummy://", "--file")


def evaluating() -> Iterator[Row | Gap]:
    """A row for each size of a module."""
    try:
        evaluator = NixEvaluator.find()
    except NoEvaluator as error:
        raise Unmeasured(str(error)) from error
    if shutil.which(BARE[0]) is None:
        raise Unmeasured("nix is not installed")
    for size, services in SERVICES.items():
        with TemporaryDirectory(prefix="hive-bench-") as directory:
            place = Path(directory)
            (place / MODULE).write_text(TEXT.replace("SERVICES", str(services)))
            mirror, tree = committed(place)
            confined = median(partial(evaluator.evaluate, mirror, tree))
            bare = median(partial(_bare, place))
        goal = at_most_times(1.3) if services > 1000 else None
        yield Row(f"evaluation of a module {size}", confined, "ms", "nix eval", bare, goal)


def committed(place: Path) -> tuple[Mirror, str]:
    """A bare repository with the module, and the commit that holds it."""
    git = ["git", "-C", str(place)]
    who = ["-c", "user.name=bench", "-c", "user.email=bench@forge.invalid"]
    for words in (["init", "-q"], ["add", MODULE], [*who, "commit", "-q", "-m", "a module"]):
        subprocess.run([*git, *words], check=True)
    subprocess.run(["git", "clone", "-q", "--bare", str(place), str(place / "bare")], check=True)
    sha = subprocess.run([*git, "rev-parse", "HEAD"], check=True, capture_output=True, text=True).stdout.strip()
    return Mirror(place / "bare", str(place), Login("nobody", "")), sha


def median(work: Callable[[], object]) -> float:
    """Milliseconds that it takes, at the median."""
    took = []
    for _ in range(TURNS):
        begun = time.perf_counter()
        work()
        took.append((time.perf_counter() - begun) * 1000)
    return statistics.median(took)


def _bare(place: Path) -> None:
    subprocess.run([*BARE, str(place / MODULE)], check=True, capture_output=True)
