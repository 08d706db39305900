"""Commands for the review without a forge: in a terminal, before a commit, in a CI."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hive.cli.group import CONFIG, STATE, main

if TYPE_CHECKING:
    from hive.app.range_model import RangeModel

NOT_REVIEWED = 2
"""The exit status of a review that did not take place, for whatever reason."""


@main.command()
@click.option(
    "--repo", type=STATE, default=Path(), metavar="DIRECTORY", help="The repository; this directory by default."
)
@click.option(
    "--range", "span", metavar="A..B", default="@{upstream}..HEAD", show_default=True, help="The commits to review."
)
@click.option("--title", metavar="TEXT", default="", help="The title that the pull request would have, for the model.")
@click.option(
    "--description-file",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Its description, for the model.",
)
@click.option("--model", metavar="NAME", default="", help="A model that reads the change, too; none by default.")
@click.option(
    "--model-url", metavar="URL", default="", help="Its server, which speaks the Messages API; Anthropic's by default."
)
@click.option(
    "--budget",
    type=click.FloatRange(0, 1000),
    default=1.0,
    show_default=True,
    help="The most that it may cost, in US dollars.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line, the verdict last.")
@click.option("--sarif", "as_sarif", is_flag=True, help="Print SARIF 2.1.0.")
def review(
    *,
    repo: Path,
    span: str,
    title: str,
    description_file: Path | None,
    model: str,
    model_url: str,
    budget: float,
    as_json: bool,
    as_sarif: bool,
) -> None:
    """Review a range of commits.

    Status 1: blocked. Status 2: not reviewed. A model's key is in ANTHROPIC_API_KEY.
    """
    from hive.config.extras import NotInstalled, installing, need

    try:
        need("git", *(["httpx2"] if model else []))
    except NotInstalled as error:
        raise unreviewed(installing(error)) from error
    from hive.app import review_range

    if as_json and as_sarif:
        raise unreviewed("--json and --sarif are two forms of one answer: choose")
    try:
        with the_model(model, model_url, budget, title, description_file) as reader:
            found = review_range.review_range(repo, span, reader)
    except review_range.NoRange as error:
        raise unreviewed(str(error)) from error
    if as_sarif:
        click.echo(review_range.sarif(found))
    else:
        for line in review_range.json_lines(found) if as_json else review_range.text(found):
            click.echo(line)
    raise SystemExit(found.status)


@main.command()
@click.option(
    "--config",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="A hive.yaml, whose `review.engines` are listed too.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line.")
def engines(*, config: Path | None, as_json: bool) -> None:
    """List the analysers of the review."""
    from hive.app.review_engines import json_lines, table
    from hive.config import load
    from hive.scan.own_engines import engines_of

    known = engines_of(load(config).review.engines if config is not None else ())
    click.echo("\n".join((json_lines if as_json else table)(engines=known)))


@main.command()
@CONFIG
@click.option("--repo", metavar="FORGE:OWNER/NAME", default="", help="Only this repository.")
@click.option("--days", type=click.IntRange(1, 36500), metavar="N", help="Only the last so many days.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line.")
def findings(config: Path, repo: str, days: int | None, *, as_json: bool) -> None:
    """Show what became of findings, by rule and folder.

    Fixed, dismissed, open, or left as they were when the pull request was closed.
    """
    from hive.app.findings import json_lines, table
    from hive.cli.group import open_instance

    ledger = open_instance(config).ledger
    since = ledger.clock() - days * 86_400 if days else 0.0
    click.echo("\n".join((json_lines if as_json else table)(ledger, repo, since)))


def the_model(
    name: str, url: str, budget: float, title: str, description_file: Path | None
) -> AbstractContextManager[RangeModel | None]:
    """The model that was named, None without one: then nobody reads title and description. Raises SystemExit."""
    import os

    from bots.money import exactly
    from hive.app.range_model import range_model
    from hive.config.naming import model
    from hive.config.naming import url as url_mistake
    from hive.instance.model_keys import VARIABLE

    if not name:
        return nullcontext(None)
    if mistake := model(name) or (url_mistake(url) if url else ""):
        raise unreviewed(f"--model: {mistake}")
    key = os.environ.get(VARIABLE, "").strip()
    if not url and not key:
        raise unreviewed(f"{name} needs a key: set {VARIABLE}")
    try:
        description = "" if description_file is None else description_file.read_text("utf-8", "replace")
    except OSError as error:
        raise unreviewed(f"{description_file} cannot be read: {error.strerror}") from error
    return range_model(name, url=url, key=key, cap=exactly(budget), title=title, description=description)


def unreviewed(sentence: str) -> SystemExit:
    """Print why nothing was reviewed; raise what this returns."""
    from hive.cli.group import failure

    failure(sentence)
    return SystemExit(NOT_REVIEWED)
