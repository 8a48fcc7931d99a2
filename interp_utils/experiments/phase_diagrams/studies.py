"""The studies of phase diagrams: `interp-utils study NAME`."""

from __future__ import annotations

import math

from interp_utils.experiments.phase_diagrams.architectures import VARIED, shape
from interp_utils.experiments.phase_diagrams.look import circuit, course, weights
from interp_utils.experiments.phase_diagrams.plateau import WAYS_ON, onward
from interp_utils.experiments.phase_diagrams.recipes import (
    DECAYS,
    FEWER,
    FORMULAS,
    GROKKED_ON,
    RATES,
    RATES_DECAYS,
    SEEDS,
    SETTLE,
    SHARES,
    down,
    grid,
    kept,
    of_rate,
    of_share,
    operation,
)
from interp_utils.experiments.studies import Study

STUDIES = (
    Study(
        "decay_by_share",
        grid(weight_decay=DECAYS, share=SHARES, seed=SEEDS),
        of_share,
        weights,
        SETTLE,
    ),
    Study(
        "rate_by_decay",
        grid(lr=RATES, weight_decay=RATES_DECAYS, seed=SEEDS),
        of_rate,
        weights,
        SETTLE,
    ),
    Study(
        "operations",
        grid(operation=(*FORMULAS, "a b", "a / b"), share=(0.5,), seed=SEEDS),
        operation,
        circuit,
        SETTLE,
    ),
    Study(
        "hysteresis",
        grid(weight_decay=(1.0, 2.0), share=FEWER, seed=SEEDS)
        | grid(weight_decay=(0.0,), share=(GROKKED_ON,), seed=SEEDS),
        down,
        course,
        math.inf,
    ),
    Study(
        "architectures",
        {
            name: settings
            for varied, values in VARIED.items()
            for name, settings in grid(varied=(varied,), value=values, seed=SEEDS).items()
        },
        shape,
        circuit,
        SETTLE,
    ),
    Study("kept", grid(weight_decay=(0.0,)), kept, course, math.inf),
    Study("plateau", grid(way=tuple(WAYS_ON), seed=SEEDS), onward, weights, SETTLE),
)
