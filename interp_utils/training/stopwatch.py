"""The time that updates take, without the work between updates."""

from __future__ import annotations

import time

now = time.perf_counter  # has a name here so that tests can replace the clock


class Stopwatch:
    """A watch that runs from the first `start` until it is read, and then waits for the next start.

    On a GPU updates are queued: read the watch when their results have arrived. The loop does so,
    since it fetches the losses of logged and saved steps anyway.
    """

    def __init__(self) -> None:
        self.since: float | None = None

    def start(self) -> None:
        if self.since is None:
            self.since = now()

    def read(self) -> float:
        """Seconds since the watch was started; 0 if it was not."""
        seconds = 0.0 if self.since is None else now() - self.since
        self.since = None
        return seconds
