"""Errors that an operator can fix, each as one sentence."""

from __future__ import annotations

import sqlite3


def known() -> tuple[type[BaseException], ...]:
    """The errors that have a sentence; asked for when one is met, so that no command imports them for nothing."""
    from forge.protocol import ForgeError  # noqa: PLC0415
    from hive.config import BadYaml  # noqa: PLC0415
    from hive.instance.instance import StartupError  # noqa: PLC0415
    from hive.ledger.errors import DamagedDatabase  # noqa: PLC0415
    from hive.replay import Cannot  # noqa: PLC0415
    from hive.secret_store import NoSecret  # noqa: PLC0415
    from hive.supervisor.heartbeat import LoopDied  # noqa: PLC0415
    from hive.supervisor.processes import CrashLoop  # noqa: PLC0415

    named = (BadYaml, Cannot, DamagedDatabase, ForgeError, CrashLoop, LoopDied, NoSecret, StartupError)
    return (*named, ModuleNotFoundError, OSError, sqlite3.Error)


def sentence(error: BaseException) -> str:
    """The sentence about an error; a missing package that no extra brings is our own fault, and raised again."""
    from forge.protocol import ForgeError  # noqa: PLC0415
    from hive.config.extras import installing  # noqa: PLC0415

    if isinstance(error, ModuleNotFoundError):
        return installing(error)
    if isinstance(error, ForgeError):
        return f"the forge does not go along: {error}"
    if isinstance(error, sqlite3.Error):
        return f"a database in the state directory cannot be used: {error}; restore ledger.db from your backup, or delete queue.db"
    if isinstance(error, OSError):
        where = f"{error.filename}: " if error.filename else ""
        return f"{where}{error.strerror or error}; choose another place" if where else f"{error.strerror or error}"
    return str(error)
