"""Bots want things: they read a forge and yield intents. They reach no network, disk, clock or process."""
