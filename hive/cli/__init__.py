"""The command line of the hive. Each command imports what it runs, so that `--help` stays quick.

A module holds the commands of one heading; importing it registers them.
"""

from hive.cli import agents, backups, bases, containers, forges, models, money, processes, review, start, triage, work
from hive.cli.group import OBJECTS_BETWEEN_COLLECTIONS, SECTIONS, main

__all__ = [
    "OBJECTS_BETWEEN_COLLECTIONS",
    "SECTIONS",
    "agents",
    "backups",
    "bases",
    "containers",
    "forges",
    "main",
    "models",
    "money",
    "processes",
    "review",
    "start",
    "triage",
    "work",
]
