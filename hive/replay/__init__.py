"""Decisions made again from what is stored: no forge is asked, nothing is written.

tape.py       what a bot asked and was told, recorded and played
decision.py   one decision made again, and how it differs from the one that was made
lines.py      the same for people: a job, a delivery, a run
"""

from hive.replay.recording import Recording, recorded
from hive.replay.report import Cannot, Replay

__all__ = ["Cannot", "Recording", "Replay", "recorded"]
