"""Stock SqliteHuey: drain_huey.py put DIRECTORY COUNT, then drain_huey.py work DIRECTORY."""

import sys

from huey import SqliteHuey
from stamp import stamp

huey = SqliteHuey("drain", filename=f"{sys.argv[2]}/drain.db")


@huey.task()
def look(number: int) -> None:
    """Note the start."""
    stamp(number)


if sys.argv[1] == "put":
    for number in range(int(sys.argv[3])):
        look(number)
else:
    huey.create_consumer(workers=1, periodic=False).run()
