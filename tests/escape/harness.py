"""Stands where the harness stands in a container: holds a secret, runs one command, says what it left."""

import json
import os
import sys
from dataclasses import replace
from pathlib import Path

from hive.agent import shell
from hive.agent.files import write
from hive.agent.sandbox import be_alone
from hive.agent.turn_runner import ContainerPaths

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
outcome = shell.run(given["command"], tree, seconds=given["seconds"], sandbox=sandbox)
left = []
for entry in Path("/proc").iterdir():
    if entry.name.isdigit() and int(entry.name) != os.getpid():
        try:
            words = (entry / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if given["mark"].encode() in words:
            left.append(int(entry.name))
print(json.dumps({"output": outcome.output, "status": outcome.status, "left": left, "uid": os.getuid()}))
