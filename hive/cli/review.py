"""Commands for the review without a forge: in a terminal, before a commit, in a CI."""

from __future__ import annotations

from pathlib import Path

import click

from hive.cli.group import STATE, main

NOT_REVIEWED = 2
"""The exit status of a review that did not take place, for whatever reason."""


@main.command()
@click.option(
    "--repo", type=STATE, default=Path(), metavar="DIRECTORY", help="The repository; this directory by default."
)
@click.option(
    "--range", "span", metavar="A..B", default="@{upstream}..HEAD", show_default=True, help="The commits to review."
)
@click.option("--title", metavar="TEXT", default="", help="The title that the pull request would have.")
@click.option(
    "--description-file",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Its description; analysers read neither.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line, the verdict last.")
@click.option("--sarif", "as_sarif", is_flag=True, help="Print SARIF 2.1.0.")
def review(*, repo: Path, span: str, title: str, description_file: Path | None, as_json: bool, as_sarif: bool) -> None:
    """Review a range of commits.

    Status 1: blocked. Status 2: not reviewed.
    """
    from hive.config.extras import NotInstalled, installing, need

    try:
        need("git")
    except NotInstalled as error:
        raise unreviewed(installing(error)) from error
    from hive.app import review_range

    if as_json and as_sarif:
        raise unreviewed("--json and --sarif are two forms of one answer: choose")
    try:
        found = review_range.review_range(repo, span)
    except review_range.NoRange as error:
        raise unreviewed(str(error)) from error
    if as_sarif:
        click.echo(review_range.sarif(found))
    else:
        for line in review_range.json_lines(found) if as_json else review_range.text(found):
            click.echo(line)
    raise SystemExit(found.status)


@main.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line.")
def engines(*, as_json: bool) -> None:
    """List the analysers of the review."""
    from hive.app.review_engines import json_lines, table

    click.echo("\n".join(json_lines() if as_json else table()))


def unreviewed(sentence: str) -> SystemExit:
    """Print why nothing was reviewed; raise what this returns."""
    from hive.cli.group import failure

    failure(sentence)
    return SystemExit(NOT_REVIEWED)
