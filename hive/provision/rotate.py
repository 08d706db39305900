"""Rotates tokens and webhook secrets; killed at any point, it can be run again."""

from __future__ import annotations

from collections.abc import Callable, Collection
from contextlib import ExitStack

from hive.instance.instance import Instance, StartupError
from hive.provision.hooks import Hooks
from hive.provision.provisioner import sign_in
from hive.provision.steps import Steps
from hive.provision.tokens import Tokens, grants

Say = Callable[[str], None]
PARTS = ("worker", "host")
"""The processes that hold tokens."""


class Rotation:
    """Rotates the secrets of one forge, with an admin's password. `say` gets a sentence about each."""

    def __init__(self, instance: Instance, forge: str, say: Say) -> None:
        self._instance = instance
        self._forge = forge
        self._say = say

    def tokens(self, login: str, password: str, accounts: Collection[str] = ()) -> None:
        """Rotate the tokens of these accounts, or of all; raises StartupError while the hive runs.

        A worker with an old token would fail its effects as refused, and never retry them.
        """
        with ExitStack() as stack:
            for part in PARTS:
                self._still(part, stack)
            admin = stack.enter_context(sign_in(self._instance, self._forge, login, password))
            wanted = {grant.login: grant for grant in grants(self._instance, self._forge, admin.capabilities())}
            for account in accounts:
                if account not in wanted:
                    known = ", ".join(wanted)
                    raise StartupError(f"{account} is not an account of the hive on {self._forge}; it has {known}")
            held = Tokens(self._instance, self._forge, admin, Steps(lambda _: None))
            for account in accounts or wanted:
                held.renew(wanted[account])
                self._say(f"rotated the token of {account}; the old one is deleted")

    def hooks(self, login: str, password: str) -> None:
        """Rotate the secret of all webhooks; a running receiver accepts both until the last one is changed."""
        with sign_in(self._instance, self._forge, login, password) as admin:
            Hooks(self._instance, self._forge, admin, Steps(lambda _: None)).renew()
        self._say(f"rotated the secret of the hooks of {', '.join(Hooks.orgs(self._instance, self._forge))}")

    def _still(self, part: str, stack: ExitStack) -> None:
        """Keep a process of the hive from starting; raises StartupError if it runs."""
        try:
            stack.enter_context(self._instance.alone(part))
        except StartupError as error:
            raise StartupError(f"{error}, with the old tokens: stop the hive, rotate, and start it again") from error
