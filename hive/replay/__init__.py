"""Replays decisions from the ledger: no forge is asked, nothing is written.

recording.py  what a bot read, recorded and played back
decision.py   one decision made again, and how it differs from the original
report.py     the same for people: a job, a delivery, a run
"""

from hive.replay.recording import Recording, recorded
from hive.replay.report import Cannot, Replay

__all__ = ["Cannot", "Recording", "Replay", "recorded"]
