"""The handler of proposals to suppress a rule of the review: a pull request that people merge, or close."""

from __future__ import annotations

from functools import partial
from hashlib import sha256

from forge.models import FileEdit
from forge.protocol import NotFound
from hive.config import BadYaml, policy_of, read_repository
from hive.config.review_settings import SuppressionSettings
from hive.config.suppression_text import NotEditable, add_suppression
from hive.outbox.actions import ProposeSuppression
from hive.outbox.registry import Execution, Registry, Result, Superseded

HANDLERS = Registry()
FILE = ".hive.yaml"


@HANDLERS.on(ProposeSuppression, by_core=True)
def propose_suppression(execution: Execution, action: ProposeSuppression) -> Result:
    """Open the pull request, unless the settings have it by now, or do not want such proposals."""
    forge, repo = execution.forge, action.repo
    main = forge.repository(repo).default_branch
    try:
        text = forge.file(repo, FILE, main).decode("utf-8", "replace")
    except NotFound:
        text = ""
    item = SuppressionSettings(action.rule, (action.path,), action.why)
    try:
        policy = policy_of(read_repository(text).review)
        if not policy.learn or any(each.rule == item.rule and each.paths == item.paths for each in policy.suppressions):
            raise Superseded(f"{FILE} has it, or wants no proposals")
        edited = add_suppression(text, item)
    except (BadYaml, NotEditable) as error:
        raise Superseded(f"{FILE} of {repo} cannot be edited: {error}") from error
    branch = f"hive/suppress-{sha256(action.key.encode()).hexdigest()[:10]}"
    forge.commit(repo, [FileEdit(FILE, edited.encode())], message=action.title, branch=branch, start=main)
    pull = forge.open_pull(repo, head=branch, base=main, title=action.title, body=action.body)
    ref = str(pull.ref)
    settle = partial(execution.ledger.review_lessons.opened, str(repo), action.rule, action.path, ref)
    return Result(
        pull.html_url, {"ref": ref, "url": pull.html_url}, {"opened": ref, "rule": action.rule}, settle=settle
    )
