"""`python -m hive` is `hive`."""

from hive.cli import main

main(prog_name="hive")
