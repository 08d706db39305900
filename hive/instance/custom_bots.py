"""Bots by the name of their module: installed ones, and the operator's own files."""

from __future__ import annotations

import importlib
import importlib.util
import stat
import sys
from pathlib import Path
from types import ModuleType

from bots.bot import Bot

OWN = "hive_own_bots"
"""The package of own files: they shadow nothing, and cannot be imported by accident."""

FAULTS = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    ImportError,
    LookupError,
    NameError,
    OSError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
)
"""What a module can do wrong while it is imported."""


class BotNotFound(Exception):
    """A module without a bot; the message says which, and why."""


def load_bot(module: str, folder: Path) -> Bot:
    """The bot of a module: an installed one, else the file of that name in the folder of the configuration.

    Raises NoBot. The folder is never searched for anything else.
    """
    try:
        found = _installed(module) or _own(module, folder)
        bot = getattr(found, "bot", None)
    except FAULTS as error:
        raise BotNotFound(f"{module} cannot be read ({type(error).__name__}: {str(error)[:200]})") from error
    if found is None:
        raise BotNotFound(f"{module} holds no bot: it is not installed, and there is no {_file(module, folder)}")
    if not isinstance(bot, Bot):
        raise BotNotFound(f"{module} holds no bot: it has no `bot = Bot(…)` ({found.__file__})")
    return bot


def _installed(module: str) -> ModuleType | None:
    root = module.partition(".")[0]
    if importlib.util.find_spec(root) is None:
        return None
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module}.".startswith(f"{error.name}."):
            raise  # it is there, and something that it needs is not
        return None


def _own(module: str, folder: Path) -> ModuleType | None:
    file = _file(module, folder)
    if not file.is_file() or not file.resolve().is_relative_to(folder.resolve()):
        return None
    if file.stat().st_mode & stat.S_IWOTH:
        raise BotNotFound(f"{file} can be written by anybody; run: chmod o-w {file}")
    name = f"{OWN}.{module}"
    spec = importlib.util.spec_from_file_location(name, file)
    assert spec is not None
    assert spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    sys.modules[name] = made
    try:
        spec.loader.exec_module(made)
    except FAULTS:
        del sys.modules[name]
        raise
    return made


def _file(module: str, folder: Path) -> Path:
    return folder.joinpath(*module.split(".")).with_suffix(".py")
