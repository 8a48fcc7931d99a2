"""Studies: trainings that are too many for their runs to ship. What ships is a table with a row
for each, docs/studies/<name>/trainings.json.

A training has a folder of its own meanwhile, named by its recipe's digest. It ends once it has
generalised and settled, is measured, has its row, and is removed. The same call goes on after
whatever ended it, and any number of workers that share the folder of runs may make it at once.
"""

from __future__ import annotations

import itertools
import json
import math
import shutil
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tqdm.auto import tqdm

from interp_utils.experiments.base import Recipe
from interp_utils.experiments.rules import Row
from interp_utils.measures import milestones
from interp_utils.measures.milestones import KNOWN, LASTING
from interp_utils.runs import storage as disk
from interp_utils.runs.manifest import MANIFEST
from interp_utils.runs.run import Run

if TYPE_CHECKING:
    import pandas as pd

FOLDER, TABLE = "studies", "trainings.json"
GENERALISED, CENSORED, DIVERGED = "generalised", "not yet", "diverged"


@dataclass(frozen=True, eq=False)
class Study:
    """Trainings by name, and what their rows have.

    name:      of its folder in docs/studies.
    trainings: training -> its settings, the columns that tell it from the others.
    recipe:    recipe(**settings), what is trained.
    look:      look(run), what is measured of a training that did not diverge, JSON-able.
    settle:    a training ends so many steps after it has generalised, or at its recipe's last;
               math.inf for the last alone.

    A row has "training", "recipe" (the digest of task, model and training), the settings, and what
    was found: "state", "last step", "memorised" and "generalised" (steps, as of
    `milestones.milestones`; None if not by its end), the same in seconds, the last losses and
    accuracies, and what `look` returns; None for what is not finite. The state is "generalised",
    "not yet" (censored: its last step is a bound), or "diverged".
    """

    name: str
    trainings: Mapping[str, Mapping[str, Any]]
    recipe: Callable[..., Recipe]
    look: Callable[[Run], Row]
    settle: int | float

    @cached_property
    def recipes(self) -> dict[str, Recipe]:
        return {name: self.recipe(**of) for name, of in self.trainings.items()}

    @cached_property
    def digests(self) -> dict[str, str]:
        """What each row must be of, the rule by which it ended included."""
        return {name: f"{recipe.digest}-{self.settle}" for name, recipe in self.recipes.items()}

    def stored(self, docs: Path) -> dict[str, Row]:
        """The rows of the table as they are, stale ones too: training -> row."""
        path = docs / FOLDER / self.name / TABLE
        rows = json.loads(path.read_text()) if path.exists() else []
        return {row["training"]: row for row in rows}

    def stale(self, docs: Path) -> list[str]:
        """The trainings whose rows are of other recipes than today's, or of none."""
        rows = self.stored(docs)
        return [name for name, row in rows.items() if row["recipe"] != self.digests.get(name)]

    def rows(self, docs: Path) -> dict[str, Row]:
        """The rows of the table: training -> row. Raises ValueError where some are stale."""
        if stale := self.stale(docs):
            raise ValueError(
                f"rows of {docs / FOLDER / self.name / TABLE} are of other recipes than today's: "
                f"{', '.join(stale)}; train these again, `interp-utils study {self.name}`, or take "
                "out the rows of those that are no longer trained"
            )
        return self.stored(docs)

    def table(self, docs: Path) -> pd.DataFrame:
        """The rows as a table, in the order in which they stand."""
        import pandas as pd

        return pd.DataFrame(list(self.rows(docs).values()))

    def work(
        self,
        docs: Path,
        runs: Path,
        *,
        only: Sequence[str] = ("*",),
        minutes: float = math.inf,
        progress: bool = True,
    ) -> None:
        """Trains what has no row yet, or one of another recipe, and adds it to the table in `docs`.

        runs: the folder of runs, which all workers share. only: names, or patterns of them. After
        so many minutes no other training begins.
        Raises ValueError for a pattern that no training fits.
        """
        if none := [each for each in only if not any(fnmatch(n, each) for n in self.trainings)]:
            raise ValueError(f"no training of {self.name} is {none[0]!r}: {list(self.trainings)}")
        chosen = [name for name in self.trainings if any(fnmatch(name, each) for each in only)]
        folder, started = runs / FOLDER / self.name, time.monotonic()
        folder.mkdir(parents=True, exist_ok=True)
        if again := [name for name in self.stale(docs) if name in chosen]:
            warnings.warn(f"the recipes have changed of {', '.join(again)}", stacklevel=2)
        for name in tqdm(chosen, desc=self.name, unit="training", disable=not progress):
            if time.monotonic() - started > 60 * minutes:
                return
            try:
                with disk.exclusive(folder, f"{self.digests[name]}.lock"):
                    self._work_on(name, docs, folder, progress)
            except disk.RunInUse:
                continue  # another worker is at it

    def _work_on(self, name: str, docs: Path, folder: Path, progress: bool) -> None:
        path = folder / self.digests[name]
        if self.stored(docs).get(name, {}).get("recipe") != self.digests[name]:
            found = self.measured(self.recipes[name], path, progress)
            row = {"training": name, "recipe": self.digests[name]} | self.trainings[name]
            if twice := row.keys() & found.keys():
                raise ValueError(f"settings of {name} have the names of measures: {sorted(twice)}")
            self._add(row | found, docs, folder)
        shutil.rmtree(path, ignore_errors=True)

    def measured(self, recipe: Recipe, path: Path, progress: bool) -> Row:
        """Trains a recipe in a folder and looks at the run: its row without the settings."""
        log = records(Run.load(path)) if (path / MANIFEST).exists() else []

        def goes_on(row: Row) -> bool:
            log.append(row)
            return not _settled(log, self.settle)

        diverged = False
        try:
            if not _settled(log, self.settle):
                recipe.trained(path, callback=goes_on, progress=progress)
        except FloatingPointError:
            diverged = True
        found = outcome(log, diverged)
        found |= {} if diverged else self.look(Run.load(path))
        return {name: None if _is_wild(value) else value for name, value in found.items()}

    def _add(self, row: Row, docs: Path, folder: Path) -> None:
        """Puts a row into the table, in the place of the training's former one."""
        path = docs / FOLDER / self.name / TABLE
        with disk.exclusive(folder, wait=True):
            rows = self.stored(docs) | {row["training"]: row}
            known = [name for name in self.trainings if name in rows]
            in_order = [rows[name] for name in [*known, *(rows.keys() - set(known))]]
            lines = ",\n".join(json.dumps(each, allow_nan=False) for each in in_order)
            if path.parent.exists():
                disk.remove_temporary_files(path.parent)
            disk.write_atomic(path, f"[\n{lines}\n]\n".encode())


def outcome(log: Sequence[Row], diverged: bool = False) -> Row:
    """What the rows of metrics say of a training that has ended."""
    import pandas as pd

    last = log[-1]
    metrics = pd.DataFrame(list(log)).astype({name: float for name in last if name != "step"})
    when = milestones.milestones(metrics, level=KNOWN)
    reached = CENSORED if when.generalised is None else GENERALISED
    held_out = _held_out(last)
    names = ("train_loss", f"{held_out}_loss", "train_accuracy", f"{held_out}_accuracy")
    return {
        "state": DIVERGED if diverged else reached,
        "last step": when.last_step,
        "memorised": when.memorised,
        "generalised": when.generalised,
        "last seconds": when.last_seconds,
        "seconds memorised": when.seconds_memorised,
        "seconds generalised": when.seconds_generalised,
        **{name.replace("_", " "): last[name] for name in names},
    }


def records(run: Run) -> list[Row]:
    """The rows of a run's metrics, one after the other."""
    table = run.raw_metrics
    return [dict(zip(table, row, strict=True)) for row in zip(*table.values(), strict=True)]


def _held_out(row: Row) -> str:
    """The split that is logged: a task that draws its inputs logs its validation set."""
    return "test" if "test_accuracy" in row else "validation"


def _is_wild(value: object) -> bool:
    return isinstance(value, float) and not math.isfinite(value)


def _settled(log: Sequence[Row], steps: int | float) -> bool:
    """Whether held-out accuracy has been above the level for so many steps, to the last."""
    accuracy = f"{_held_out(log[0])}_accuracy" if log else ""
    high = itertools.takewhile(lambda row: (row[accuracy] or 0) > KNOWN, reversed(log))
    since = [row["step"] for row in high]
    return len(since) >= LASTING and since[0] - since[-1] >= steps
