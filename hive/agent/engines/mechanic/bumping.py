"""Sets versions over a whole checkout: of a dependency, and of the project itself."""

from __future__ import annotations

from hive.agent.engines.mechanic import manifests, own_version, pinned_references
from hive.agent.engines.mechanic.checkout import Checkout
from hive.agent.engines.mechanic.reports import StepReport, code, place
from hive.agent.engines.mechanic.versions import next_version
from hive.agent.engines.mechanic.wishes import BumpDependency, BumpVersion
from hive.agent.errors import ToolError

NOWHERE = "nothing here declares a version of {name}"
NO_VERSION = "no file says a version of this project that I know how to set"
DYNAMIC = "the version is made from git's tags: create the tag instead"
ANOTHER = "{path} says {version}, another version than the project's: I left it"
STALE = "{path} is out of date now, and I have no network to write it again: run {command}"
SKIPPED = ("node_modules/", "vendor/", "third_party/")


def bump_dependency(checkout: Checkout, wish: BumpDependency) -> StepReport:
    """Set a version wherever it is declared; raises ToolError if nothing declares one."""
    report, changed, problems = StepReport(), dict[str, str](), list[str]()
    every = checkout.modes()
    for path, text in checkout.sources(wish.paths):
        if path.startswith(SKIPPED):
            continue
        for reader in (manifests.bump, pinned_references.bump):
            try:
                bumped = reader(path, changed.get(path, text), wish.name, wish.version)
            except ToolError as error:
                problems.append(str(error))
                continue
            report.same += [f"{place(path, line)} has that version already" for line in bumped.same]
            for line, old, new in bumped.changes:
                report.done.append(f"{code(wish.name)} {code(old)} → {code(new)} in {place(path, line)}")
                changed[path] = bumped.text
    if not report.done and not report.same:
        raise ToolError("; ".join(dict.fromkeys(problems)) or NOWHERE.format(name=code(wish.name)))
    report.undone += list(dict.fromkeys(problems))
    for path, text in changed.items():
        checkout.write(path, text)
    for lock, command in manifests.stale_locks(set(changed), set(every)):
        if wish.name.lower() in (checkout.text(lock) or wish.name).lower():
            report.undone.append(STALE.format(path=code(lock), command=code(command)))
    return report


def bump_version(checkout: Checkout, wish: BumpVersion) -> StepReport:
    """Set the project's version wherever it says the same one; raises ToolError if nothing says one."""
    texts = {path: text for path, text in checkout.sources() if not path.startswith(SKIPPED)}
    found = [(path, span) for path, text in texts.items() for span in own_version.places(path, text)]
    if not found:
        is_dynamic = any(own_version.DYNAMIC.search(text) for path, text in texts.items() if path == "pyproject.toml")
        raise ToolError(DYNAMIC if is_dynamic else NO_VERSION)
    path, (start, end) = min(found, key=_rank)
    old = texts[path][start:end]
    new = wish.version or next_version(old, wish.part)
    if old == new:
        return StepReport(same=[f"the version is {code(new)} already"])
    report = StepReport()
    names = own_version.project_names(texts)
    spots = [(where, span, texts[where][span[0] : span[1]]) for where, span in found]
    for where, _, says in spots:
        if says not in {old, new}:
            report.notes.append(ANOTHER.format(path=code(where), version=code(says)))
    for where, text in texts.items():
        spans = [span for each, span, says in spots if each == where and says == old]
        spans += own_version.lock_places(where, text, names, old)
        if spans:
            checkout.write(where, _spliced(text, spans, new))
            report.done.append(f"version {code(old)} → {code(new)} in {code(where)}")
    return report


def _rank(found: tuple[str, tuple[int, int]]) -> tuple[int, int, str]:
    """The file that a version is read from: the topmost, and the first of those that packages are made from."""
    path = found[0]
    name = path.rpartition("/")[2]
    order = own_version.MAIN.index(name) if name in own_version.MAIN else len(own_version.MAIN)
    return path.count("/"), order, path


def _spliced(text: str, spans: list[tuple[int, int]], new: str) -> str:
    for start, end in sorted(spans, reverse=True):
        text = text[:start] + new + text[end:]
    return text
