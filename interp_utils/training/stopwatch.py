"""The time that updates take, without what is done between them."""

from __future__ import annotations

import time

now = time.perf_counter  # its own name, so that the tests can put another clock in its place


class Stopwatch:
    """Runs from the first `start` until it is read, and then waits for the next one.

    On a GPU updates are queued: read it when their results have arrived, as the loop does, which
    fetches the losses of logged and saved steps anyway.
    """

    def __init__(self) -> None:
        self.since: float | None = None

    def start(self) -> None:
        if self.since is None:
            self.since = now()

    def read(self) -> float:
        """Seconds since it was started; 0 if it was not."""
        seconds = 0.0 if self.since is None else now() - self.since
        self.since = None
        return seconds
