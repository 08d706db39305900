"""RQ on Redis: drain_rq.py put SOCKET COUNT, then drain_rq.py work SOCKET, or drain_rq.py fork SOCKET for a process a task."""

import sys

from redis import Redis
from rq import Queue, SimpleWorker, Worker
from stamp import stamp

connection = Redis(unix_socket_path=sys.argv[2])
queue = Queue(connection=connection)

if sys.argv[1] == "put":
    for number in range(int(sys.argv[3])):
        queue.enqueue(stamp, number, result_ttl=0)
else:
    kind = Worker if sys.argv[1] == "fork" else SimpleWorker
    kind([queue], connection=connection).work(burst=True, logging_level="ERROR")
