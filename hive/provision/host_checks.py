"""The doctor's checks of this machine: secrets, git, containers, clocks. Asks a forge for its time only."""

from __future__ import annotations

import http.client
import os
import re
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

from hive.gateway.pricing import OLD_DAYS, own_prices, price_list
from hive.instance.file_modes import exposed
from hive.instance.instance import Instance
from hive.instance.sandbox import fix_of, has_units, no_roots
from hive.poller import OVERLAP
from hive.provision.check_results import CheckResult, ok, problem, warning
from hive.reconcile.backends import look_for
from hive.reconcile.limiter import FIX as LIMITS_FIX
from hive.reconcile.limiter import REPORT, LimitsReport
from hive.scan.analysis import absent
from hive.scan.engine_trial import failure_of
from hive.scan.engines import ENGINES
from hive.scan.own_engines import engines_of

GIT = (2, 38)
ROOTS_FIX = "apt-get install mmdebstrap, or remove `root` from hive.yaml"
"""The first git whose `merge-tree` writes trees: the host repeats each merge and compares."""

REVIEW = "bots.review"
"""The bot that runs analysers."""

SECONDS = 60.0
"""How long git or a forge may take to answer; long, since a machine may be busy."""


def machine(instance: Instance) -> Iterator[CheckResult]:
    """All checks that do not depend on a forge."""
    yield from _secrets(instance)
    yield _modes(instance)
    yield _git()
    if REVIEW in instance.settings.bots:
        yield _analysers()
        yield from _own_analysers(instance)
    yield from _sandbox(instance)
    yield from _limits(instance)
    yield from _prices(instance)


def _prices(instance: Instance) -> Iterator[CheckResult]:
    """Whether it is known what the models cost that agents may use."""
    model = instance.settings.model
    reviewers = instance.settings.review.models
    prices = price_list(own_prices(model.prices_of(*reviewers)))
    named = dict.fromkeys((*model.known, *(name for names in model.agents.values() for name in names), *reviewers))
    unknown = [name for name in named if not prices.knows(name)]
    for name in unknown:
        what = f"what {name} costs is not known, so it counts as the dearest model"
        yield warning(what, f"name its price in hive.yaml: model.prices ({{{name}: {{}}}} costs nothing)")
    days = prices.age(datetime.fromtimestamp(instance.ledger.clock(), UTC).date())
    if days > OLD_DAYS:
        yield warning(
            f"the prices of models are {days} days old", "update forgehive, or name the new ones: model.prices"
        )
    elif not unknown:
        yield ok("what the models cost is known")


def clock(instance: Instance, forge: str) -> CheckResult:
    """Whether the forge's clock agrees with this machine's."""
    theirs = _time(instance.url(forge))
    if theirs is None:
        return warning(f"{forge} does not send its time", "let it send a Date header")
    skew = theirs - instance.ledger.clock()
    if abs(skew) > OVERLAP.total_seconds():
        way = "ahead of" if skew > 0 else "behind"
        return warning(f"the clock of {forge} is {abs(skew):.0f} s {way} this one", "set both by NTP")
    return ok(f"{forge} and this machine agree about the time")


def _secrets(instance: Instance) -> Iterator[CheckResult]:
    seen = instance.secret_store.open_files()
    for path in seen:
        yield problem(f"{path} can be read by others", f"chmod {700 if path.is_dir() else 600} {path}")
    if not seen:
        yield ok("secrets are private")


def _modes(instance: Instance) -> CheckResult:
    """Whether the state directory, apart from secrets, is private."""
    seen = list(exposed(instance.settings.state, instance.settings.own_forges))
    if not seen:
        return ok("the state directory is private")
    what = f"{seen[0]} can be read by others" + (f", and {len(seen) - 1} more" if len(seen) > 1 else "")
    return problem(what, "restart the hive as the owner of it: that corrects the modes")


def _sandbox(instance: Instance) -> Iterator[CheckResult]:
    if os.geteuid() == 0:
        yield warning("the hive runs as root", "give it a user of its own, and its state directory to that user")
    if instance.settings.sandbox == "none":
        what = "agents are not contained: they can read everything that the hive can, including secrets"
        yield problem(what, "remove `sandbox: none` from hive.yaml")
        return
    backend, why_not = look_for(instance.settings.sandbox)
    if backend is None:
        yield problem(f"agents cannot be contained, so none is started ({why_not[:120]})", fix_of(instance.settings))
    else:
        yield ok(f"agents are contained by {backend.name}, {backend.who}")
    if why := no_roots(instance.settings):
        yield warning(
            f"containers see this host's programs, and not packages of {instance.settings.root.suite}: {why}", ROOTS_FIX
        )


def _limits(instance: Instance) -> Iterator[CheckResult]:
    settings = instance.settings
    report = LimitsReport.of(settings.limits, settings.state / REPORT, by_unit=has_units(settings))
    yield ok(f"each container is limited to {report.holding}")
    for what in report.lacking:
        yield warning(f"a limit of containers does not hold here: {what}", LIMITS_FIX)


def _git() -> CheckResult:
    fix = f"install git {'.'.join(map(str, GIT))} or later"
    try:
        said = subprocess.run(["git", "--version"], capture_output=True, text=True, timeout=SECONDS).stdout
    except (OSError, subprocess.TimeoutExpired):
        return problem("git is not installed", fix)
    version = tuple(int(part) for part in re.findall(r"\d+", said)[:2])
    shown = ".".join(map(str, version)) or "of an unknown version"
    return ok(f"git is {shown}") if version >= GIT else problem(f"git is {shown}, too old to verify merges", fix)


def _analysers() -> CheckResult:
    missing = absent()
    if missing:
        what = f"review lacks {', '.join(missing)}: files for them are “not reviewed”"
        return problem(what, "pip install 'forgehive[review]'")
    return ok("review has all of its analysers")


def _own_analysers(instance: Instance) -> Iterator[CheckResult]:
    """Whether the analysers that the operator added do what a review asks of them."""
    own = engines_of(instance.settings.review.engines)[len(ENGINES) :]
    failures = {engine.name: failure_of(engine) for engine in own}
    for name, why in failures.items():
        if why:
            what = f"your analyser {name} {why}: files for it are “not reviewed”"
            yield problem(what, "install it, or correct it in hive.yaml: review.engines")
    if works := [name for name, why in failures.items() if not why]:
        yield ok(f"your analysers work: {', '.join(works)}")


def _time(url: str) -> float | None:
    """The forge's clock in unix seconds; None if unknown."""
    parts = urlsplit(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.hostname or "", parts.port, timeout=SECONDS)
    try:
        connection.request("GET", f"{parts.path}/api/v1/version")
        date = connection.getresponse().headers.get("Date", "")
        return parsedate_to_datetime(date).timestamp()
    except (OSError, http.client.HTTPException, ValueError):
        return None
    finally:
        connection.close()
