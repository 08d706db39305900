"""The commands of triage: what issues are, of a file without a forge or of a repository, and taking in old ones."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from hive.cli.group import CONFIG, failure, main, open_instance

if TYPE_CHECKING:
    from forge.models import Repo
    from hive.classify.training import Learned
    from hive.instance.instance import Instance

FILE = click.Path(dir_okay=False, path_type=Path)


@main.command()
@CONFIG
@click.option(
    "--from", "source", type=FILE, metavar="FILE", help="Issues, each a line of JSON with `title` and `body`."
)
@click.option("--train", type=FILE, metavar="FILE", help="Learn first from such lines that have a `kind` too.")
@click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON object a line; `kind` is null where triage would be silent."
)
@click.option(
    "--threshold",
    type=click.FloatRange(0, 1),
    metavar="X",
    help="Speak from this confidence on: 0 for always. Else as measured.",
)
@click.option(
    "--repo", metavar="REPO", help="A repository, as `forgejo:acme/app`: compare with the labels of its issues."
)
@click.option("--dry-run", is_flag=True, help="Only compare; this is the default.")
@click.option("--learn", is_flag=True, help="Learn from the repository's labels, and keep the model if it is better.")
def triage(
    *,
    config: Path,
    source: Path | None,
    train: Path | None,
    as_json: bool,
    threshold: float | None,
    repo: str | None,
    dry_run: bool,
    learn: bool,
) -> None:
    """Say what issues are: bug, feature, question, docs."""
    if (source is None) == (repo is None):
        raise failure("name one source: --from FILE, or --repo REPO")
    if source is not None:
        if learn or dry_run:
            raise failure("--learn and --dry-run are for --repo")
        _of_file(source, train, as_json=as_json, threshold=threshold)
    elif repo is not None:
        if train is not None or as_json or threshold is not None:
            raise failure("--train, --json and --threshold are for --from")
        if learn and dry_run:
            raise failure("--learn keeps a model, --dry-run keeps nothing: choose")
        _of_repository(open_instance(config), repo, learn=learn)


def _of_file(source: Path, train: Path | None, *, as_json: bool, threshold: float | None) -> None:
    from hive.app.triage import json_line, of_file, text_line

    try:
        mine = None if train is None else _trained(train)
        for said in of_file(source, mine, threshold):
            click.echo(json_line(said) if as_json else text_line(said))
    except OSError as error:
        raise failure(f"{error.filename}: {error.strerror}") from error
    except ValueError as error:
        raise failure(str(error)) from error


def _trained(path: Path) -> Learned:
    from hive.app.triage import trained_on

    mine = trained_on(path)
    spoken = f"precision {mine.precision:.2f} at a coverage of {mine.coverage:.2f}"
    click.echo(
        f"learned from {mine.examples} issues: macro-F1 {mine.macro_f1:.2f} on held-out ones, {spoken}", err=True
    )
    return mine


def _of_repository(instance: Instance, name: str, *, learn: bool) -> None:
    from hive.app import triage as app
    from hive.classify.classifier import MODELS, ModelStore

    repo, team = _team_of(instance, name)
    store = ModelStore(instance.settings.state / MODELS)
    issues = app.newest(app.reader_of(instance, repo), repo)
    if learn:
        click.echo(app.learn_repository(store, repo, issues))
        return
    for line in app.dry_run(instance.teams[team], issues, store.model(repo)):
        click.echo(line)


def _team_of(instance: Instance, name: str) -> tuple[Repo, str]:
    from forge.models import Repo

    try:
        repo = Repo.parse(name)
    except ValueError as error:
        raise failure(str(error)) from error
    for team in instance.teams.values():
        if repo in team.repos:
            return repo, team.name
    raise failure(f"no team works in {name!r}")


@main.command()
@CONFIG
@click.option("--repo", required=True, metavar="REPO", help="A repository, as `forgejo:acme/app`.")
@click.option("--apply", "applies", is_flag=True, help="Take them in, one after another: `hive work` does it.")
@click.option("--wake", is_flag=True, help="Give them to the agents of their lanes too, as far as these have room.")
@click.option("--stop", is_flag=True, help="Take nothing more in. What was labelled stays so.")
def backfill(*, config: Path, repo: str, applies: bool, wake: bool, stop: bool) -> None:
    """Label the open issues and pull requests that are older than the hive.

    Without --apply it says what it would do.
    """
    if stop and (applies or wake):
        raise failure("--stop goes with nothing else")
    instance = open_instance(config, "work")
    where, team = _team_of(instance, repo)
    if stop:
        _stop_backfill(instance, where)
    elif applies:
        _begin_backfill(instance, where, team, wake=wake)
    else:
        _preview_backfill(instance, where, team, wake=wake)


def _stop_backfill(instance: Instance, repo: Repo) -> None:
    from hive.app.backfill import stop

    was = stop(instance.ledger, repo)
    click.echo("nothing is under way" if was is None else f"stopped after {was.done} of {was.total}")


def _begin_backfill(instance: Instance, repo: Repo, team: str, *, wake: bool) -> None:
    from hive.app.backfill import UnderWay, begin, open_numbers
    from hive.app.triage import reader_of

    try:
        plan = begin(instance.ledger, team, repo, open_numbers(reader_of(instance, repo), repo), wake=wake)
    except UnderWay as error:
        raise failure(str(error)) from error
    pace = instance.settings.limits.backfill
    hours = len(plan.waiting) / pace
    took = f"about {hours:.0f} h" if hours >= 1.5 else f"about {max(1, round(60 * hours))} min"
    click.echo(f"{len(plan.waiting)} of {plan.total} wait, {pace} are taken in an hour: {took}")


def _preview_backfill(instance: Instance, repo: Repo, team: str, *, wake: bool) -> None:
    from hive.app.backfill import open_numbers, plan_of
    from hive.app.backfill_preview import context_of, preview
    from hive.app.triage import reader_of

    known = plan_of(instance.ledger, repo)
    if known is not None and known.waiting:
        click.echo(
            f"under way: {known.done} of {known.total} are taken in{', and given to agents' if known.wake else ''}"
        )
    numbers = open_numbers(reader_of(instance, repo), repo)
    for line in preview(context_of(instance, team), repo, numbers, wake=wake).lines(wake=wake):
        click.echo(line)
    click.echo("nothing was changed; --apply takes them in")
