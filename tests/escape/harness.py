"""Stands where the harness stands in a container: holds a secret, runs commands, says what they left."""

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

from hive.agent import shell
from hive.agent.container_paths import ContainerPaths
from hive.agent.files import write
from hive.agent.processes import RunningBeside, descendants
from hive.agent.sandbox import be_alone

be_alone()
place = ContainerPaths.of(os.environ)
given = json.loads(sys.argv[1])
SECRET = given["secret"][::-1]
run = place.state / "runs" / "7"
run.mkdir(parents=True, exist_ok=True)
(run / "transcript.jsonl").write_text(given["secret"])
for folder in (place.state / "home", run / "work"):
    folder.mkdir(exist_ok=True)
    place.sandbox.give(folder)
tree = run / "work"
for name, text in given["files"].items():
    write(tree, name, text)
lore = place.state / "knowledge"
lore.mkdir(exist_ok=True)
(lore / "README.md").write_text("Bees dance.\n")
place.sandbox.give(lore)
sandbox = replace(place.sandbox, readable=(lore,))


def left() -> list[int]:
    """The processes that bear the mark and are not this one."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                words = (entry / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if given["mark"].encode() in words:
                found.append(int(entry.name))
    return found


PROGRAM = """
trap 'echo told; exit 7' INT
echo x >../engine/kept && echo kept; if echo x 2>/dev/null >../door/new; then echo open; else echo closed; fi
(sleep 600 & sleep 600 & sleep 600) & echo ready; while :; do sleep 0.05; done
"""


def program() -> dict[str, object]:
    """What a program of an engine says that is interrupted, after a command has run and ended beside it."""
    for folder in (run / "engine", run / "door"):
        folder.mkdir()
    place.sandbox.give(run / "engine")
    shown = replace(sandbox, readable=(lore, run / "door"), writable=(run / "engine",))
    words = shown.words(["sh", "-c", PROGRAM], tree)
    with subprocess.Popen(words, cwd=tree, stdout=subprocess.PIPE, start_new_session=True) as started:
        assert started.stdout is not None
        with RunningBeside(started.pid):
            said = [started.stdout.readline().strip().decode() for _ in range(3)]
            shell.run("true", tree, seconds=60.0, sandbox=sandbox)
            started.send_signal(signal.SIGINT)
            said.append(started.stdout.readline().strip().decode())
            started.wait(60)
        shell.end_process(started)
    return {"said": said, "status": started.returncode, "alive": descendants(os.getpid())}


results = {}
for name, command in given["commands"].items():
    outcome = shell.run(command, tree, seconds=given["seconds"].get(name, 60.0), sandbox=sandbox)
    results[name] = {"output": outcome.output, "status": outcome.status, "killed": outcome.killed, "left": left()}
print(json.dumps({"results": results, "uid": os.getuid(), "program": program() if given["commands"] else {}}))
