"""Guesses of learned models: that of a repository where it is better than the prior, else the prior."""

from __future__ import annotations

import logging
import os
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from bots.classification import DecidedBy, Guess
from bots.triage.cleaning import CleanText, clean
from bots.triage.decision import stated_kind
from forge.models import Repo
from hive.classify.features import Features, features
from hive.classify.model_file import BadModel, dumps, loads
from hive.classify.prior import prior
from hive.classify.training import Learned, with_prior

log = logging.getLogger("hive.classify")

MODELS = "triage"
"""The directory of learned models in that of the state."""

STATED = 0.95
"""How sure a field of a form makes: of public issues one in twelve was labelled otherwise later."""

Stamp = tuple[int, int]


@dataclass
class ModelStore:
    """The learned model of each repository, as a file; what is no model counts as none."""

    directory: Path
    _read: dict[Repo, tuple[Stamp, Learned | None]] = field(default_factory=dict)

    def path(self, repo: Repo) -> Path:
        """Where the model of a repository is."""
        return self.directory / f"{repo.forge}+{repo.owner}+{repo.name}.json".lower()

    def model(self, repo: Repo) -> Learned | None:
        """The model of a repository, read again when its file has changed."""
        path = self.path(repo)
        try:
            found = path.stat()
            stamp = (found.st_mtime_ns, found.st_size)
            known = self._read.get(repo)
            if known is None or known[0] != stamp:
                known = self._read[repo] = (stamp, loads(path.read_bytes()))
            return known[1]
        except FileNotFoundError:
            return None
        except (OSError, BadModel) as error:
            log.warning("model_unread repo=%s error=%r", repo, str(error)[:200])
            with suppress(OSError):
                self._read[repo] = ((path.stat().st_mtime_ns, path.stat().st_size), None)
            return None

    def keep(self, repo: Repo, learned: Learned) -> Path:
        """Store a model; who reads it meanwhile sees the old one or the new one."""
        path = self.path(repo)
        self.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        new = path.with_suffix(".new")
        with new.open("w") as file:
            file.write(dumps(learned))
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)
        return path

    def forget(self, repo: Repo) -> None:
        """Take a model away."""
        self.path(repo).unlink(missing_ok=True)


@dataclass(frozen=True)
class LearnedClassifier:
    """A classifier by learned models; without a directory it knows the prior only."""

    directory: Path | None = None

    def guess(self, repo: Repo, title: str, body: str) -> Guess:
        """What an issue is, by the model of its repository or the prior."""
        mine = None if self.directory is None else self._store.model(repo)
        return guess_by(mine, title, body)

    @cached_property
    def _store(self) -> ModelStore:
        assert self.directory is not None
        return ModelStore(self.directory)


def guess_by(mine: Learned | None, title: str, body: str) -> Guess:
    """What an issue is by a model, or without one by the prior."""
    text = clean(title, body)
    return guess_of(mine, text, features(text))


def guess_of(mine: Learned | None, text: CleanText, found: Features) -> Guess:
    """What a clean text with these features is."""
    learned = prior() if mine is None else mine
    by = DecidedBy.PRIOR if mine is None else DecidedBy.HISTORY
    if (stated := stated_kind(text)) in learned.model.kinds:
        return Guess(stated, STATED, DecidedBy.EXPLICIT, speaks=True)
    if not (title_or_prose := bool(text.title or text.prose)) and not found:
        return Guess(learned.model.kinds[0], 0.0, by, speaks=False)
    seen = found if mine is None else with_prior(found, prior())
    kind, sure = learned.best(seen)
    words = tuple(name.partition(":")[2] for name in learned.model.reasons(seen, kind, 8) if name[0] in "tb")
    said = tuple(dict.fromkeys(word.strip("^$ ") for word in words))
    return Guess(kind, sure, by, title_or_prose and learned.speaks(kind, sure), said)
