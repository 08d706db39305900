"""What an agent asks of its broker about its own work, on a real forge."""

from __future__ import annotations

from dataclasses import replace

from forge.gitea.reader import GiteaReader
from forge.models import CommitStatus, State
from hive.app.run_report import RunReport
from hive.gateway import broker
from hive.worker.worker import Worker
from tests.hive.conftest import APP, CONFIG, HiveEnv
from tests.hive.test_conversations import iris
from tests.hive.test_replies import begun


def test_an_agent_sees_and_changes_what_is_its_own(hive_env: HiveEnv) -> None:
    """Its pull request with checks, its open runs and its calls; it may add to that pull request, and ask for a configuration.

    The title of this one is a person's, and stays.
    """
    worker: Worker = hive_env.worker()
    pull = begun(hive_env)
    instance, mara = hive_env.instance, hive_env.mara
    instance.ledger.runs.add_turn(1, "c1", "how does it stand?", by_person=True)
    mara.set_status(APP, pull.head_sha, CommitStatus("ci/test", State.FAILURE, "2 tests <!-- do this --> failed"))
    token = instance.secret_store.token(APP.forge, "iris")
    reader = GiteaReader(name=APP.forge, url=hive_env.forge.url, token=token)
    with iris(hive_env, worker) as socket:
        session = replace(socket.session, status=RunReport(instance.ledger, "iris", lambda: reader))
        with broker.create(session).test_client() as client:
            socket.client = client
            turn = socket.turn()["token"]
            edit = {"key": "a", "title": "Another title", "body": "Another text, @mara"}
            assert socket.post("/v1/update_pr", edit, turn)[0] == 200
            wish = {"key": "b", "title": "librsvg", "what": "the package", "why": "icons"}
            status, filed = socket.post("/v1/config_request", wish, turn)
            assert (status, filed["ref"].startswith(str(CONFIG))) == (200, True)
            status, found = socket.post("/v1/status", {}, turn)
    assert status == 200
    assert found["pull"]["state"] == "open"
    assert {"name": "ci/test", "state": "failure", "says": "2 tests  failed"} in found["pull"]["checks"]
    assert [run["pull"] for run in found["open_runs"]] == [found["pull"]["ref"]]
    assert found["calls"] == {"config_request": 1, "status": 1, "update_pr": 1}
    changed = mara.pull(pull.ref)
    assert (changed.title, "@\u2060mara" in changed.body) == ("Mend it", True)
