"""What people, agents and places of the story are called. Data, and nothing done."""

from __future__ import annotations

from dataclasses import dataclass

from forge.models import Repo

FORGE = "forgejo"
"""The configured name of the story's forge."""

TAG_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"
TAG_LENGTH = 2


@dataclass(frozen=True, slots=True)
class DemoNames:
    """The names of one demo; a `tag` distinguishes them from another demo's on the same forge.

    A tagged agent is still a valid agent name (nine small letters and digits), and a tagged login
    still fits its column of the console.
    """

    tag: str = ""

    @property
    def team(self) -> str:
        """The organisation in which agents work."""
        return self._place("acme")

    @property
    def configs(self) -> str:
        """The organisation of configurations."""
        return self._place("agent-configs")

    @property
    def meta(self) -> str:
        """The organisation of the hive's own repositories."""
        return self._place("hive")

    @property
    def operator(self) -> str:
        """Who files issues and merges."""
        return f"mara{self.tag}"

    @property
    def agent(self) -> str:
        """Who does the work."""
        return f"iris{self.tag}"

    @property
    def accounts(self) -> dict[str, str]:
        """The logins of bots."""
        return {
            bot: f"{login}{self.tag}" for bot, login in (("core", "core"), ("triage", "triage"), ("review", "argus"))
        }

    @property
    def people(self) -> tuple[str, ...]:
        """Every login, people and machines."""
        return (self.operator, self.agent, *self.accounts.values())

    @property
    def places(self) -> tuple[str, ...]:
        """Every organisation."""
        return (self.team, self.configs, self.meta)

    @property
    def app(self) -> Repo:
        """The project."""
        return Repo(FORGE, self.team, "app")

    @property
    def config(self) -> Repo:
        """The agent's configuration."""
        return Repo(FORGE, self.configs, self.agent)

    def _place(self, name: str) -> str:
        return f"{name}-{self.tag}" if self.tag else name


PLAIN = DemoNames()
