"""The analysers of the hive as one stream of findings, each engine a process that can neither roam nor stay."""

from hive.scan.analysis import absent, analyse

__all__ = ["absent", "analyse"]
