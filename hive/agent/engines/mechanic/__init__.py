"""The engine without a model: changes that are written down, done to the letter."""

from hive.agent.engines.mechanic.mechanic import ENGINE

__all__ = ["ENGINE"]
