"""Stands where the harness stands in a container: holds a secret, runs commands, says what they left."""

import json
import os
import sys
from dataclasses import replace
from pathlib import Path

from hive.agent import shell
from hive.agent.container_paths import ContainerPaths
from hive.agent.files import write
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


results = {}
for name, command in given["commands"].items():
    outcome = shell.run(command, tree, seconds=given["seconds"].get(name, 60.0), sandbox=sandbox)
    results[name] = {"output": outcome.output, "status": outcome.status, "killed": outcome.killed, "left": left()}
print(json.dumps({"results": results, "uid": os.getuid()}))
