"""Children that tests kill, starve and interrupt."""

import contextlib
import multiprocessing

import pytest

FORK, SPAWN = multiprocessing.get_context("forkserver"), multiprocessing.get_context("spawn")
# torch loads the last when told to be deterministic
FORK.set_forkserver_preload(["tests.trainings", "tests.workers", "torch._inductor"])


@contextlib.contextmanager
def process(target, *arguments, context=FORK):
    """A process that runs target(report, *arguments), and the end where its report arrives."""
    ours, theirs = context.Pipe(duplex=False)
    child = context.Process(target=target, args=(theirs, *arguments))
    with pytest.MonkeyPatch.context() as patch:
        # read as it starts: a child forked beside OpenMP's threads would wait for them for ever
        patch.setenv("OMP_NUM_THREADS", "1")
        child.start()
    theirs.close()
    try:
        yield child, ours
    finally:
        child.kill()
        child.join()
        child.close()
        ours.close()


def report_of(target, *arguments, context=FORK):
    with process(target, *arguments, context=context) as (_, report):
        return report.recv()
