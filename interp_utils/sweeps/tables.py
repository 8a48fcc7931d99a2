"""All trials of a study as one table."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from interp_utils.measures.milestones import KNOWN, Milestones, milestones
from interp_utils.runs.manifest import MANIFEST
from interp_utils.runs.run import Run
from interp_utils.sweeps.studies import load

if TYPE_CHECKING:
    import optuna
    import pandas as pd

# The columns that every study has: the values of an empty column do not say its type.
TYPES = {
    **dict.fromkeys(("state", "run", "reason"), "string"),
    **dict.fromkeys(("memorised", "generalised", "delay", "spikes", "last_step"), "Int64"),
    **dict.fromkeys(("seconds_memorised", "seconds_generalised", "seconds_delay"), "float64"),
    **dict.fromkeys(("value", "ratio", "last_seconds"), "float64"),
    "grokked": "boolean",
}


def table(
    out: str | Path,
    storage: str | Path | None = None,
    study: str = "sweep",
    *,
    until: int | None = None,
    level: float = KNOWN,
    factor: float = 5.0,
) -> pd.DataFrame:
    """One row for every trial of a study, whatever has become of the trial, for `.to_csv`,
    `.to_parquet` and plots.

    out, storage, study: as for `sweep`. until, level, factor: as for `milestones.milestones`.

    Columns: trial (the trial's number), state (Optuna's: COMPLETE; PRUNED, where the training
    diverged or `make` pruned the trial; FAIL; RUNNING; WAITING), value (of the objective), run (the
    run's folder in `out`), reason (why the trial was pruned or has failed), params_<name> for each
    parameter, and the fields of `milestones.Milestones`, by the rows that are saved of the run.
    These fields are missing where nothing is saved; a milestone that was not reached by `last_step`
    is missing, too: it is censored there.

    Raises what `load` and `Run.load` raise.
    """
    import pandas as pd

    trials = load(out, storage, study).get_trials(deepcopy=False)
    params = [{**trial.system_attrs.get("fixed_params", {}), **trial.params} for trial in trials]
    reached = [_milestones(Path(out), trial, until, level, factor) for trial in trials]
    columns = {
        "trial": [trial.number for trial in trials],
        "state": [trial.state.name for trial in trials],
        "value": [None if trial.values is None else trial.value for trial in trials],
        **{name: [trial.user_attrs.get(name) for trial in trials] for name in ("run", "reason")},
        **{
            f"params_{name}": [own.get(name) for own in params]
            for name in dict.fromkeys(name for own in params for name in own)
        },
        **{
            field: [None if own is None else getattr(own, field) for own in reached]
            for field in Milestones._fields
        },
    }
    return pd.DataFrame({name: _column(name, values) for name, values in columns.items()})


def _milestones(
    out: Path, trial: optuna.trial.FrozenTrial, until: int | None, level: float, factor: float
) -> Milestones | None:
    """The milestones of a trial's run; None where nothing of a run is saved."""
    name = trial.user_attrs.get("run")
    if name is None or not (out / name / MANIFEST).is_file():
        return None
    return milestones(Run.load(out / name).metrics, until, level=level, factor=factor)


def _column(name: str, values: Sequence[Any]) -> pd.Series:
    """Whole numbers stay whole beside missing values, floats become NumPy's."""
    import pandas as pd

    if name in TYPES:
        return pd.Series(values, dtype=TYPES[name])
    if not all(value is None or isinstance(value, bool | int | float | str) for value in values):
        return pd.Series(values, dtype=object)
    column = pd.Series(pd.array(values))
    return column.astype("float64") if column.dtype == "Float64" else column
