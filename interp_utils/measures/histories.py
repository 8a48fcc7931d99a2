"""The names of measures in `trajectories.history`, and the place of each in the long table of
`trajectories.measure`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

Place = dict[str, str]  # column of the long table -> value
PARTS = ("level", "variant", "split", "frequency")  # columns that tell rows of a measure apart


def _on_logits(variant: str = "sum") -> Place:
    return {"level": "logits", "variant": variant}


NAMES: dict[str, Place] = {
    **{f"{split} loss": {"measure": "loss", "split": split} for split in ("train", "test", "all")},
    **{
        f"{split} accuracy": {"measure": "accuracy", "split": split}
        for split in ("train", "test", "all")
    },
    # As in the paper's figure: restricted loss over all pairs, excluded loss over training pairs.
    "restricted loss": {"measure": "restricted_loss", "split": "all", **_on_logits()},
    "excluded loss": {"measure": "excluded_loss", "split": "train", **_on_logits()},
    "restricted accuracy": {"measure": "restricted_accuracy", "split": "test", **_on_logits()},
    "excluded accuracy": {"measure": "excluded_accuracy", "split": "train", **_on_logits()},
    **{
        f"{kind} loss, {name}": {"measure": f"{kind}_loss", "split": split, **place}
        for kind, split in (("restricted", "all"), ("excluded", "train"))
        for name, place in {
            "2 x 2 block": _on_logits("block2x2"),
            "3 x 3 block": _on_logits("block3x3"),
            "on neurons": {"level": "neurons", "variant": "sum"},
        }.items()
    },
    "excluded loss, over pairs and classes": {
        "measure": "excluded_loss",
        "split": "train",
        **_on_logits("sum_3d"),
    },
    "share of pre-activations on keys": {"measure": "share_on_keys", "level": "pre"},
    "share of neurons on keys": {"measure": "share_on_keys", "level": "post"},
    "share of logits on keys": {"measure": "share_on_keys", "level": "logits"},
    "logit variance explained": {"measure": "variance_explained"},
    "distance irrelevance": {"measure": "distance_irrelevance"},
    "gradient symmetricity": {"measure": "gradient_symmetricity"},
    **{
        f"{name} of {level}": {"measure": measure, "level": level, **rest}
        for level in ("W_E", "W_L")
        for name, measure, rest in (
            ("Gini coefficient", "gini", {"variant": "frequencies"}),
            ("FFD", "ffd", {}),
            ("FCR", "fcr", {}),
            ("IPR", "inverse_participation_ratio", {}),
        )
    },
}
# Measures with a number for each frequency (index k is frequency k), or for each weight.
EACH: dict[str, tuple[str, Place]] = {
    "excluded loss of one frequency": (
        "frequency",
        {"measure": "single_excluded_loss", "variant": "sum"},
    ),
    "coefficient of cos w(a + b - c)": ("frequency", {"measure": "cosine_coefficient"}),
    "sum of squared weights": ("level", {"measure": "sum_squared_weights"}),
}


def wide(table: pd.DataFrame, measures: Sequence[str]) -> pd.DataFrame:
    """Column "step" and one column per measure of NAMES; NaN where the run has no value."""
    import pandas as pd

    steps = pd.Index(table["step"].unique(), name="step")
    columns = {
        name: _named(table, name).set_index("step")["value"].reindex(steps) for name in measures
    }
    return pd.DataFrame(columns, index=steps).reset_index()


def wide_each(table: pd.DataFrame, measure: str) -> pd.DataFrame:
    """Column "step" and one column for each frequency or weight of a measure of EACH."""
    if measure not in EACH:
        raise ValueError(
            f"there is no measure {measure!r} of each frequency or weight; there are: "
            f"{', '.join(EACH)}"
        )
    by, place = EACH[measure]
    rows = _rows(table, place)
    if by == "frequency":
        rows = rows.astype({"frequency": int})
    found = rows.pivot(index="step", columns=by, values="value").reset_index()
    return found.rename_axis(columns=None)


def _named(table: pd.DataFrame, name: str) -> pd.DataFrame:
    """The rows of a name of NAMES, or of "measure[part, part]", where each part is the level,
    variant, split or frequency; one row a step.
    """
    if name in NAMES:
        return _rows(table, NAMES[name])
    measure, _, parts = name.removesuffix("]").partition("[")
    chosen = table[table["measure"] == measure]
    if chosen.empty:
        there = "; ".join([*NAMES, *table["measure"].unique()])
        raise ValueError(f"there is no measure {name!r}; there are: {there}")
    for part in filter(None, map(str.strip, parts.split(","))):
        fitting = [chosen[column].map(_spelled) == part for column in PARTS]
        if not any(each.any() for each in fitting):
            raise ValueError(f"{name}: {part!r} is none of {_choices(chosen)}")
        chosen = chosen[next(each for each in fitting if each.any())]
    if not chosen["step"].is_unique:
        raise ValueError(f"{name} is several measures: say which, of {_choices(chosen)}")
    return chosen


def _choices(rows: pd.DataFrame) -> str:
    """What tells the rows of one step apart."""
    columns = {column: rows[column].dropna().map(_spelled).unique() for column in PARTS}
    return "; ".join(f"{name} {', '.join(each[:8])}" for name, each in columns.items() if len(each))


def _spelled(value: object) -> str:
    """A frequency is a whole number, though pandas makes it a float beside missing ones."""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _rows(table: pd.DataFrame, place: Place) -> pd.DataFrame:
    chosen = table
    for column, value in place.items():
        chosen = chosen[chosen[column] == value]
    return chosen
