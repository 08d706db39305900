"""What must not happen: nothing runs that no operator merged, and nobody merges who may not.

The first story takes the webhooks away for all that follow, the last one leaves a `main` that nobody approved.
"""

from __future__ import annotations

import base64
import urllib.error

import pytest

from hive.demo.scripted_replies import DOWNLOAD, SORT
from hive.demo.setup import FORGE
from tests.stories.conftest import APP, CONFIG, Hive

RULE = "/repos/agent-configs/iris/branch_protections"


def test_lost_webhooks_are_found_by_the_sweep(hive: Hive) -> None:
    """With every webhook lost the same work is done, only later."""
    for org in ("acme", "agent-configs", "hive"):
        for hook in hive.as_admin("GET", f"/orgs/{org}/hooks"):
            hive.as_admin("DELETE", f"/orgs/{org}/hooks/{hook['id']}")
    before = hive.deliveries()
    issue = hive.file(SORT)
    pull = hive.until(lambda: hive.pull_of(issue), "the pull request")
    hive.until(lambda: hive.status(pull, "hive/review") == "success", "a green review")
    hive.merge(pull)
    hive.until(lambda: hive.instance.ledger.runs.find(str(issue)).outcome == "merged", "the end")  # type: ignore[union-attr]
    assert hive.deliveries() == before


def test_an_agent_cannot_merge_or_push_to_main(hive: Hive) -> None:
    """Not even with its own token, which it never sees: the forge refuses."""
    hive.file(DOWNLOAD)
    proposal = hive.until(hive.proposal, "the proposal")
    hive.until(lambda: hive.status(proposal, "hive/eval") == "success", "hive/eval")
    token = f"token {hive.instance.secret_store.token(FORGE, 'iris')}"
    merge = {"Do": "merge", "head_commit_id": hive.mara.pull(proposal).head_sha}
    change = {"content": "eA==", "message": "x", "branch": "main"}
    for path, body in (
        (f"/repos/{CONFIG.path}/pulls/{proposal.number}/merge", merge),
        (f"/repos/{CONFIG.path}/contents/x", change),
        (f"/repos/{APP.path}/contents/x", change),
        (f"/repos/{CONFIG.path}/branch_protections", {"rule_name": "x"}),
        (f"/repos/{CONFIG.path}/hooks", {"type": "forgejo", "config": {"url": "http://x", "content_type": "json"}}),
    ):
        with pytest.raises(urllib.error.HTTPError) as error:
            hive.call("POST", path, body, token)
        assert error.value.code in (403, 404, 405, 422), path
        error.value.close()
    assert not hive.mara.pull(proposal).merged


def test_what_does_not_build_cannot_be_merged(hive: Hive) -> None:
    """A configuration with a package that the host has not is red, and the forge refuses its merge."""
    hive.as_admin("POST", "/repos/agent-configs/iris/branches", {"new_branch_name": "bad", "old_ref_name": "main"})
    held = hive.as_admin("GET", "/repos/agent-configs/iris/contents/agent.yaml")
    text = base64.b64encode(b"lane: app\npackages: [no-such-thing]\n").decode()
    change = {"content": text, "sha": held["sha"], "message": "x", "branch": "bad"}
    hive.as_admin("PUT", "/repos/agent-configs/iris/contents/agent.yaml", change)
    pull = hive.mara.open_pull(CONFIG, head="bad", base="main", title="Add it", body="").ref
    hive.until(lambda: hive.status(pull, "hive/eval") == "failure", "a red hive/eval")
    said = hive.until(lambda: [c.body for c in hive.mara.comments(pull) if c.body.startswith("🔴")], "the problems")
    assert "no-such-thing" in said[0]
    body = {"Do": "merge", "head_commit_id": hive.mara.pull(pull).head_sha}
    with pytest.raises(urllib.error.HTTPError) as error:
        hive.as_admin("POST", f"/repos/agent-configs/iris/pulls/{pull.number}/merge", body)
    assert error.value.code == 405
    error.value.close()


def test_no_token_lies_about(hive: Hive) -> None:
    """No secret is in a git configuration, a log, the ledger's words, or an agent's directory."""
    issue = hive.file(SORT)
    pull = hive.until(lambda: hive.pull_of(issue), "the pull request")
    hive.until(lambda: hive.status(pull, "hive/review") == "success", "a green review")
    state = hive.instance.settings.state
    secrets = [path.read_bytes().strip() for path in (state / "secrets").rglob("*") if path.is_file()]
    assert len(secrets) >= 6
    for path in state.rglob("*"):
        if path.is_file() and "secrets" not in path.parts and path.suffix not in (".db", ".db-wal", ".db-shm"):
            content = path.read_bytes()
            assert not any(secret in content for secret in secrets), path
    with hive.instance.ledger.transaction() as db:
        said = str([tuple(row) for row in db.execute("SELECT payload, result, error FROM effects")])
        said += str([tuple(row) for row in db.execute("SELECT * FROM audit")])
    assert not any(secret.decode() in said for secret in secrets)


def test_a_push_past_the_protection_is_not_deployed(hive: Hive) -> None:
    """Protection taken away, a push, protection put back: the host sees it, says it, and builds nothing."""
    before = hive.instance.ledger.deployments.baseline("iris")
    assert before is not None
    rule = hive.as_admin("GET", f"{RULE}/main")
    hive.as_admin("DELETE", f"{RULE}/main")
    held = hive.as_admin("GET", "/repos/agent-configs/iris/contents/agent.yaml")
    evil = base64.b64encode(b"lane: app\npackages: [gzip]\n").decode()
    change = {"content": evil, "sha": held["sha"], "message": "x", "branch": "main"}
    hive.as_admin("PUT", "/repos/agent-configs/iris/contents/agent.yaml", change)
    hive.as_admin("POST", RULE, {key: value for key, value in rule.items() if not key.endswith("_at")})
    hive.instance.ledger.deployments.request_check("iris")

    def refused() -> bool:
        return any(row.action == "commit_rejected" for row in hive.instance.ledger.audit.after(0))

    hive.until(refused, "the refusal")
    hive.until(
        lambda: [s for s in hive.subjects(CONFIG) if "is not approved" in s.title or "not approved" in s.title], "words"
    )
    (issue,) = [subject for subject in hive.subjects(CONFIG) if not subject.is_pull]
    assert "direct push" in issue.body
    after = hive.instance.ledger.deployments.baseline("iris")
    assert after is not None
    assert (after.running_sha, after.sha) == (before.running_sha, before.sha)
    assert hive.instance.ledger.deployments.is_healthy("iris")
