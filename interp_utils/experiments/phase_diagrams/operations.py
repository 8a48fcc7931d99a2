"""Which operations are sums under another name."""

from __future__ import annotations

from interp_utils.experiments.phase_diagrams import recipes
from interp_utils.tasks import Task


def task_of(name: str) -> Task:
    """One of the study's operations as a task."""
    return recipes.operation(name, share=0.5, seed=0).task


def is_no_sum(task: Task) -> bool:
    """Whether its label cannot be h(u(a) + v(b)) mod p, whatever u, v and h are.

    If v named every number once, every row would have the values of h, in some order: rows with
    the same values, as often. If it did not, two columns would be alike. So a table without two
    columns alike, whose rows differ in their values, is no such sum. False where this does not
    tell, and where a and b have not all p values: a / b and a b are sums mod p - 1 but for 0.
    """
    p = task.n_classes[0]
    if task.grid != (p, p):
        return False
    table = task.labels.view(task.grid)
    rows_alike = (table.sort(1).values == table[0].sort().values).all()
    return not rows_alike and len(table.unique(dim=1).T) == len(table)
