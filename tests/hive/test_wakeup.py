"""Who waits for another process is woken by it, and finds out alone what a dead process did not say."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

from hive.queue.wakeup import Wakeup, WakeupBroadcast

NOTIFY = "import sys, pathlib; from hive.queue.wakeup import Wakeup; Wakeup(pathlib.Path(sys.argv[1])).notify()"
LONG = 60.0


def test_no_wakeup_is_missed_while_a_thread_looks() -> None:
    """What happens between a look and the wait that follows it ends that wait at once."""
    woken = WakeupBroadcast()
    seen = woken.seen
    woken.notify()
    woken.wait(seen, LONG)
    assert woken.seen == seen + 1


def test_another_process_wakes_every_thread(tmp_path: Path) -> None:
    """A wake-up on the socket reaches all threads that wait, and so does the end of the process."""
    path, woken, stop = tmp_path / "host.wakeup", WakeupBroadcast(), threading.Event()
    for end in (lambda: subprocess.run([sys.executable, "-c", NOTIFY, str(path)], check=True), stop.set):
        waiters = [threading.Thread(target=woken.wait, args=(woken.seen, LONG)) for _ in range(3)]
        if not stop.is_set() and not path.exists():
            relay = threading.Thread(target=woken.relay, args=(Wakeup(path), stop))
            relay.start()
            while not path.exists():
                stop.wait(0.01)
        for waiter in waiters:
            waiter.start()
        end()
        for waiter in waiters:
            waiter.join(LONG / 2)
            assert not waiter.is_alive()
    relay.join()


def test_a_wakeup_without_a_listener_costs_nothing(tmp_path: Path) -> None:
    """A process that died leaves its socket behind: waking it fails for nobody, and the next one takes the name."""
    first = Wakeup(tmp_path / "host.wakeup")
    first.notify()
    first.listen()
    first.close()
    first.notify()
    second = Wakeup(tmp_path / "host.wakeup")
    second.listen()
    first.notify()
    assert second.wait(LONG)
    second.close()
