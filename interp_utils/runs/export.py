"""A run as it ships."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import torch

from interp_utils.runs import storage
from interp_utils.runs.manifest import TASK, metrics_name, snapshot_name
from interp_utils.runs.run import Run
from interp_utils.runs.writer import RunWriter


def export(
    run: Run, path: str | Path, steps: Iterable[int] | None = None, half: bool = False
) -> Run:
    """A copy to ship: without the optimiser's moments, with these snapshots (default all) and the
    last one.

    half: store the snapshots in float16. `interp-utils verify` tells whether the last snapshot
    still has its logged losses.
    """
    if not run.finished:
        raise ValueError(
            f"{run.path} is at step {run.step} of {run.config.train.steps}; finish it before "
            "exporting it"
        )
    last = run.steps[-1]
    dtype = torch.float16 if half else torch.float32
    contents = {TASK: storage.tensors_to_bytes(storage.compact(run.task.tensors()))}
    contents[metrics_name(run.step)] = storage.json_bytes(run.raw_metrics)
    for step in sorted({last, *(run.steps if steps is None else steps)}):
        weights = {name: tensor.to(dtype) for name, tensor in run.weights(step).items()}
        contents[snapshot_name(step)] = storage.tensors_to_bytes(weights)
    with RunWriter(path, run.task, run.config, run.origin) as writer:
        if writer.step is not None:
            raise ValueError(f"{path} already holds a run; export to a new folder")
        writer.commit(run.step, contents, versions=run.manifest["versions"])
    return Run.load(path)
