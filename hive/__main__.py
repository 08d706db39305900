"""`python -m hive` is `hive`: nothing is imported from the current folder, which `-m` puts first."""

import sys
from pathlib import Path

HOME = Path(__file__).resolve().parent.parent
"""Where this package itself lies: it may be the current folder, in a checkout that nobody installed."""

if not sys.flags.safe_path:
    first = sys.path.pop(0)
    if Path(first).resolve() == HOME:
        sys.path.insert(0, first)
sys.path[:] = [entry for entry in sys.path if entry]

from hive.cli import main  # noqa: E402

main(prog_name="hive")
