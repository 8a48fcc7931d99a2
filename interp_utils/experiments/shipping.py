"""The runs that ship: trained and exported by their recipes, and measured for docs/claims.md."""

from __future__ import annotations

import json
import math
import multiprocessing
from collections.abc import Iterable
from pathlib import Path

import torch
from tqdm.auto import tqdm

from interp_utils import experiments
from interp_utils.experiments.claims import Row, Rows
from interp_utils.experiments.page import page
from interp_utils.runs.export import export
from interp_utils.runs.run import Run

NUMBERS, PAGE = "claims.json", "claims.md"
WORKERS = 2
Numbers = dict[str, Rows]  # experiment -> run -> row
# Ablated losses of a model with a loss of 1e-7 change by a few per cent with a machine's rounding.
RELATIVE = 0.05


def ship(name: str, runs: Path, checkpoints: Path, progress: bool = True) -> Run:
    """The finished run of a recipe, in runs/NAME and, if it ships, exported to checkpoints/NAME.

    A training that stopped is continued; what is in checkpoints/ stays as it is.
    Raises ValueError for a name that no recipe has.
    """
    known = experiments.recipes()
    if name not in known:
        raise ValueError(f"there is no recipe {name!r}; there are: {', '.join(known)}")
    recipe = known[name]
    run = recipe.trained(runs / name, progress=progress)
    if recipe.ships and not (checkpoints / name).exists():
        export(run, checkpoints / name, steps=recipe.snapshots, half=recipe.half)
    return run


def measure(
    checkpoints: Path, docs: Path, progress: bool = True, workers: int | None = None
) -> Numbers:
    """Every shipped run's rows, each run read once, by `workers` processes of one thread each."""
    every = experiments.every()
    wanted: dict[str, list[str]] = {}
    for experiment in every.values():
        for name in experiment.measured:
            wanted.setdefault(name, []).append(experiment.name)
    # Large runs come first: then no worker is left with one of them at the end.
    in_order = sorted(wanted, key=lambda name: size(checkpoints / name), reverse=True)
    jobs = [(checkpoints / name, wanted[name]) for name in in_order]
    rows: dict[str, dict[str, Row]] = {}
    for path, found in _mapped(jobs, WORKERS if workers is None else workers, progress):
        rows[path.name] = found
    numbers: Numbers = {}
    for experiment in every.values():
        own = {name: rows[name][experiment.name] for name in experiment.measured}
        for name, found in experiment.together(own, docs).items():
            own[name] = own.get(name, {}) | found
        numbers[experiment.name] = own
    return numbers


def write(numbers: Numbers, docs: Path) -> None:
    (docs / NUMBERS).write_text(json.dumps(numbers, indent=1) + "\n")
    (docs / PAGE).write_text(page(list(experiments.every().values()), numbers))


def stored(docs: Path) -> Numbers:
    return json.loads((docs / NUMBERS).read_text())


def stale(docs: Path) -> list[str]:
    """One line if the page was not made from the numbers beside it, else none."""
    made = page(list(experiments.every().values()), stored(docs))
    if made == (docs / PAGE).read_text():
        return []
    return [f"{docs / PAGE} was not made from its numbers"]


def differences(before: Numbers, now: Numbers) -> list[str]:
    """Where two measurements differ by more than a machine's rounding, each in a line."""
    every, found = experiments.every(), []
    for name in dict.fromkeys([*before, *now]):
        absolute = every[name].rounding if name in every else 0.0
        rows = json.loads(json.dumps(now.get(name)))
        for place, one, other in _pairs(before.get(name), rows, (name,)):
            if not _close(one, other, absolute):
                found.append(f"{' · '.join(place)}: {one} before, {other} now")
    return found


def _pairs(one: object, other: object, place: tuple[str, ...]) -> Iterable[tuple]:
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        one, other = ({str(i): value for i, value in enumerate(each)} for each in (one, other))
    if not (isinstance(one, dict) and isinstance(other, dict)):
        yield place, one, other
        return
    for name in dict.fromkeys([*one, *other]):
        yield from _pairs(one.get(name), other.get(name), (*place, name))


def _close(one: object, other: object, absolute: float) -> bool:
    if type(one) is not float or type(other) is not float:
        return one == other
    return math.isclose(one, other, rel_tol=RELATIVE, abs_tol=absolute)


def size(path: Path) -> int:
    """Bytes of a run's folder."""
    return sum(file.stat().st_size for file in path.rglob("*"))


def _mapped(
    jobs: list[tuple[Path, list[str]]], workers: int, progress: bool
) -> Iterable[tuple[Path, dict[str, Row]]]:
    bar = {"total": len(jobs), "desc": "measuring", "unit": "run", "disable": not progress}
    if workers == 1:
        yield from tqdm(map(_measured, jobs), **bar)
        return
    with multiprocessing.get_context("spawn").Pool(workers, initializer=_one_thread) as pool:
        yield from tqdm(pool.imap_unordered(_measured, jobs), **bar)
        pool.close()
        pool.join()  # a worker that is terminated leaves semaphores behind


def _one_thread() -> None:
    torch.set_num_threads(1)


def _measured(job: tuple[Path, list[str]]) -> tuple[Path, dict[str, Row]]:
    path, names = job
    run, every = Run.load(path), experiments.every()
    return path, {name: every[name].row(run) for name in names}
