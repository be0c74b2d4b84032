"""Clocks, around the timed part only, and memory."""

import re
import time


class Stopwatch:
    """Wall clock, and the CPU time of all threads, user and system. May be stopped from any thread, the first time counts."""

    def __init__(self):
        self.stopped = None
        self.started = self._now()

    def stop(self):
        if self.stopped is None:
            self.stopped = self._now()

    def line(self):
        wall, cpu = (after - before for before, after in zip(self.started, self.stopped))
        return {'seconds': wall, 'cpu_seconds': cpu}

    @staticmethod
    def _now():
        return time.monotonic(), time.process_time()


def resident():
    """VmRSS in KiB, and the number of threads."""
    with open('/proc/self/status', encoding='latin1') as file:
        status = file.read()
    return tuple(int(re.search(rf'^{name}:\s*(\d+)', status, re.MULTILINE)[1]) for name in ('VmRSS', 'Threads'))


def warm_up(count):
    return min(count // 10, 1000)
