"""Celery on Redis, acknowledged when done: drain_celery.py put SOCKET COUNT, then drain_celery.py work SOCKET."""

import sys

from celery import Celery
from stamp import stamp

app = Celery("drain_celery", broker=f"redis+socket://{sys.argv[2]}")
app.conf.update(task_acks_late=True, task_ignore_result=True, broker_connection_retry_on_startup=True)


@app.task(name="look")
def look(number: int) -> None:
    """Note the start."""
    stamp(number)


if sys.argv[1] == "put":
    for number in range(int(sys.argv[3])):
        look.delay(number)
else:
    app.worker_main(["worker", "--concurrency=1", "--loglevel=ERROR"])
