"""Processes that are started again, loops that survive a store outage, and their heartbeats."""
