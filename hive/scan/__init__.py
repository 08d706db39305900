"""The analysers of the hive as one stream of findings, each engine a process that can neither roam nor stay."""
