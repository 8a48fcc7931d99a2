"""What is timed in a process of its own: imports, the first figure, a snapshot's measures.

    python benchmarks/session.py NAME CHECKPOINT

Prints one line of JSON: column -> number.
"""

from __future__ import annotations

import json
import re
import resource
import sys
import time
from pathlib import Path

STATUS = Path("/proc/self/status")


def peak() -> float:
    """The most memory this process has had so far, in MiB."""
    if STATUS.exists():  # on Linux getrusage's starts at what the parent process had
        return int(re.search(r"VmHWM:\s+(\d+) kB", STATUS.read_text())[1]) / 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (
        2**20 if sys.platform == "darwin" else 2**10
    )


def import_torch(checkpoint: str) -> dict[str, float]:
    import torch  # noqa: F401

    return {}


def import_interp_utils(checkpoint: str) -> dict[str, float]:
    import interp_utils  # noqa: F401

    return {}


def import_all_names(checkpoint: str) -> dict[str, float]:
    import interp_utils

    for name in interp_utils.__all__:
        getattr(interp_utils, name)
    return {}


def first_figure(checkpoint: str) -> dict[str, float]:
    """From Run.load, in a process that has imported the names that it uses."""
    from interp_utils import CachedModel, Run, fourier, plots

    plots.frequency_bars  # noqa: B018
    imported = time.perf_counter()
    run = Run.load(checkpoint)
    model = CachedModel(run.model(), run.task)
    built = time.perf_counter()
    keys = fourier.key_frequencies(model.logits)
    spectrum = fourier.power(model.model.W_E[: run.task.grid[0]]).sum(1)
    plots.frequency_bars(
        {"W_E": spectrum}, keys=keys, title="Power of the embedding", y_title="power"
    ).to_json()
    return {
        "Run.load to model (s)": built - imported,
        "Run.load to figure (s)": time.perf_counter() - imported,
    }


def measures(checkpoint: str) -> dict[str, float]:
    """Every measure of the last snapshot; its model is built before."""
    from interp_utils import CachedModel, Run, fourier, trajectories

    run = Run.load(checkpoint)
    model = CachedModel(run.model(), run.task)
    keys = fourier.key_frequencies(model.logits)
    before, started = peak(), time.perf_counter()
    rows = trajectories.measure_model(CachedModel(run.model(), run.task), keys)
    return {
        "measuring (s)": time.perf_counter() - started,
        "numbers": len(rows),
        "peak before measuring (MiB)": before,
    }


SCENARIOS = {
    "import torch": import_torch,
    "import interp_utils": import_interp_utils,
    "import all its names": import_all_names,
    "first figure": first_figure,
    "a snapshot's full set of progress measures": measures,
}

if __name__ == "__main__":
    name, checkpoint = sys.argv[1:]
    started = time.perf_counter()
    details = SCENARIOS[name](checkpoint)
    print(
        json.dumps(
            {
                **details,
                "all, imports included (s)": time.perf_counter() - started,
                "peak (MiB)": peak(),
            }
        )
    )
