"""The parts of an experiment: recipes to train, a run as a row of numbers, and claims."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from interp_utils.configs import FamilyConfig, ModelConfig, TrainConfig
from interp_utils.experiments.claims import Claim, Finding, Rows
from interp_utils.experiments.rules import Row
from interp_utils.runs.run import Run
from interp_utils.sweeps import run_name
from interp_utils.tasks import AnyTask, Task
from interp_utils.training import train

if TYPE_CHECKING:
    import pandas as pd

    from interp_utils.experiments.studies import Study


@dataclass(frozen=True, eq=False)
class Recipe:
    """A training by its configurations: recipe.trained(out) is train(*recipe, out=out).

    make:      a function of `tasks` with its arguments (functools.partial), which is called when
               the task is first asked for.
    snapshots: the steps that ship, beside the last one.
    half:      whether weights ship in half precision.
    ships:     False for a training that is only named, e.g. one that a notebook runs itself.
    control:   True for a run that is the subject of no claim.
    """

    make: Callable[..., AnyTask]
    model: FamilyConfig
    train: TrainConfig
    snapshots: Sequence[int] = ()
    half: bool = True
    ships: bool = True
    control: bool = False

    @cached_property
    def task(self) -> AnyTask:
        return self.make()

    def __iter__(self) -> Iterator[Any]:
        return iter((self.task, self.model, self.train))

    @property
    def digest(self) -> str:
        """A digest of everything that determines the training."""
        return run_name(*self)

    def trained(self, out: Path, **options: Any) -> Run:
        """The run in a folder, trained or resumed. options: those of `train`."""
        return train(*self, out=out, **options)

    def seeded(self, seed: int) -> Recipe:
        """The same training on the task of another seed, from initial weights of that seed."""
        return dataclasses.replace(
            self,
            make=functools.partial(self.make, seed=seed),
            model=dataclasses.replace(self.model, seed=seed),
        )


def nothing_together(rows: Rows, docs: Path) -> Rows:
    return {}


@dataclass(frozen=True, eq=False)
class Experiment:
    """What was published about a task, and what holds. An experiment is found by being EXPERIMENT
    in a folder of `interp_utils.experiments`.

    title:    the heading of the experiment's part of docs/claims.md.
    is_about: whether a run belongs to the experiment: by its task's type and statements, never by
              a name, and by what its model must have to be measured.
    recipes:  every run that ships, by the name of its folder in checkpoints/, and others that are
              worth a name.
    row:      row(run, device=None), a finished run as a row of numbers, JSON-able.
    history:  history(run, device=None, progress=True), the measures of every snapshot as a
              table.
    claims:   the published claims, each with its rule.
    own:      what this suite found that was not published, as claims with rules: a table of the
              page.
    findings: rules for what notebooks look at, beyond the claims of the page.
    main:     the name of the run about which the notebooks are written.
    share:    how many MB of checkpoints/ the runs may take.
    rounding: how much another machine's rounding may change a number, beside a few per cent of it.
    compared: names of other experiments' runs that the claims need as rows of this experiment.
    together: a function of the rows and the folder docs/ that returns what only all rows together
              have: numbers to be added to rows, and rows of their own.
    intro, table: lines of the page before and after the verdicts.
    facts:    numbers of a run that rules need beside those that a notebook computes.
    about:    which rows claims are about, unless a claim says so itself.
    beside:   the name of a column for rows that do not decide a verdict.
    remark:   what the reader of one run's row must know, if anything.
    studies:  trainings that ship as rows of a table.
    """

    name: str
    title: str
    is_about: Callable[[Run], bool]
    recipes: Mapping[str, Recipe]
    row: Callable[..., Row]
    history: Callable[..., pd.DataFrame]
    claims: Sequence[Claim]
    share: int
    own: Sequence[Claim] = ()
    findings: Sequence[Finding] = ()
    main: str | None = None
    rounding: float = 1e-12
    compared: Sequence[str] = ()
    together: Callable[[Rows, Path], Rows] = nothing_together
    intro: Callable[[Rows], Sequence[str]] = lambda rows: []
    table: Callable[[Rows], Sequence[str]] = lambda rows: []
    facts: Callable[[Run], Row] = lambda run: {}
    about: Callable[[Row], bool] = lambda row: True
    beside: Callable[[Row], str | None] = lambda row: None
    remark: Callable[[Run], str | None] = lambda run: None
    studies: Sequence[Study] = ()

    @property
    def shipped(self) -> dict[str, Recipe]:
        return {name: recipe for name, recipe in self.recipes.items() if recipe.ships}

    @property
    def all_claims(self) -> list[Claim]:
        return [*self.claims, *self.own, *(finding.claim for finding in self.findings)]

    @property
    def measured(self) -> list[str]:
        """The runs whose rows decide the claims."""
        own = [name for name, recipe in self.shipped.items() if not recipe.control]
        return [*self.compared, *own]


def one_layer(run: Run) -> bool:
    """Whether a run's model is a transformer of one layer of attention and MLP without
    normalization, as most claims require.
    """
    model = run.config.model
    if not isinstance(model, ModelConfig) or model.normalization is not None:
        return False
    return model.n_layers == 1 and model.d_mlp is not None


def adds(run: Run) -> bool:
    """Whether a run's task is a plain table of pairs (a, b) in the coordinates a and b, with a + b
    as its label, or with a control's labels.
    """
    task = run.task
    if type(task) is not Task or task.operation is None:
        return False
    n = torch.arange(task.operation.modulus)
    return all(own.equal(n) for own in (task.operation.u, task.operation.v, task.operation.classes))
