"""The base in a commit of `hive/meta`, read by git, and the one that containers were built on, read from the ledger."""

from __future__ import annotations

from hive.config import BadYaml, Problem
from hive.config.base_yaml import FILE, NO_BASE, Base, read_base
from hive.git_mirror.mirror import Mirror, TooLarge
from hive.ledger import Ledger
from hive.reconcile.build import MAX_BYTES, BuildFailed

FORGOTTEN = "the base {digest} of this container is not in the ledger any more"


def base_text(mirror: Mirror, tree: str) -> str:
    """The text of the base in a commit or tree, empty without one; raises BadYaml if it is no text, and GitError."""
    try:
        content = mirror.file(tree, FILE, most=MAX_BYTES)
        return "" if content is None else content.decode("utf-8")
    except TooLarge:
        why = f"is larger than {MAX_BYTES} bytes"
    except UnicodeDecodeError:
        why = "is not UTF-8 text"
    raise BadYaml([Problem(FILE, 1, 1, why)])


def base_at(mirror: Mirror, tree: str) -> Base:
    """The base in a commit or tree; raises BadYaml with every mistake, and GitError."""
    text = base_text(mirror, tree)
    return read_base(text) if text else NO_BASE


def base_of(ledger: Ledger, digest: str) -> Base:
    """The base of a digest; raises BuildFailed for one that is not known."""
    if not digest:
        return NO_BASE
    text = ledger.bases.content(digest)
    if text is None:
        raise BuildFailed([FORGOTTEN.format(digest=digest[:12])])
    try:
        return read_base(text)
    except BadYaml as error:  # another version of the hive took it
        raise BuildFailed(map(str, error.problems)) from error
