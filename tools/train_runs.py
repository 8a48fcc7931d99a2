"""Train the runs in checkpoints/ again, one after the other: python -m tools.train_runs NAME [NAME
...]

Full runs go to runs/ and can be interrupted and resumed; what ships is exported from there.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from interp_utils import ModelConfig, TrainConfig, presets, tasks, train
from interp_utils.experiments.presets import Preset
from interp_utils.runs.writer import export

ROOT = Path(__file__).parents[1]


class Shipped(NamedTuple):
    """preset: what is trained. snapshots: those that ship, beside the last one. half: in half
    precision.
    """

    preset: Preset
    snapshots: Sequence[int] = ()
    half: bool = True


# Each row of Patel et al., Table 1, and the even exponents that their section 5.1 and appendix
# describe; a = b = 1 is modular addition,
# p113_seed1 to 8. The first three, which the report has grok at 10,000, 3,000 and 1,600 steps, are
# sums renamed, and have a seed more.
EXPONENTS = {  # (p, a, b) -> (steps, seeds)
    **dict.fromkeys([(113, 3, 3), (113, 5, 5), (113, 9, 9)], (12_000, 4)),
    (101, 7, 7): (12_000, 3),
    **dict.fromkeys([(113, 3, 4), (113, 5, 4), (113, 4, 5)], (8_000, 3)),
    **dict.fromkeys([(113, 7, 7), (113, 8, 9)], (6_000, 3)),
    **dict.fromkeys([(113, 2, 2), (113, 4, 4)], (6_000, 1)),
}
SORTING_SEEDS = {
    **dict.fromkeys(presets.SORTING, 1),
    "one head": 3,
    "positions": 3,
    "two heads": 3,
    "MLP": 2,
}
FOLLOWED = {  # over training: the snapshots that ship
    "modular_addition": (
        0,
        8,
        32,
        128,
        250,
        *range(500, 15_001, 500),
        *range(17_000, 24_000, 2000),
    ),
    "memoriser": (0, 2000),
    "remainders_p53_all_seed0": (0, 256, 1000, 3000, 5000, 6000, 7000),
    "sorting_one_head_seed0": (0, 16, 64, 256, 1000, *range(2000, 20_000, 2000)),
}
NOT_IN_HALF = {
    "sorting_positions_seed0",
    "remainders_p53_masked_seed0",
}  # `interp-utils verify` would not find the logged numbers again
CONTROLS = ("masked", "permuted", "unfiltered", "no dropout")
REMAINDERS_SEEDS = {  # p -> variant -> how many
    37: {"as published": 1},
    53: {"all": 3, **dict.fromkeys(CONTROLS, 1), "as published": 1},
    113: {"all": 1, **dict.fromkeys(CONTROLS, 1), "more data": 1, "more data, masked": 1},
}


def named(family: str, variant: str, seed: int) -> str:
    return f"{family}_{variant.replace(', ', '_').replace(' ', '_').lower()}_seed{seed}"


def shipped() -> dict[str, Shipped]:
    """Name of a run -> how it is made."""
    runs = {"modular_addition": Shipped(presets.grokking_demo(), FOLLOWED["modular_addition"])}
    for seed in range(1, 9):
        task, steps = (
            tasks.modular_addition(p=113, frac_train=0.3, seed=seed),
            20_000 if seed < 4 else 15_000,
        )
        runs[f"p113_seed{seed}"] = Shipped(
            Preset(task, ModelConfig(seed=seed), TrainConfig(steps=steps, snapshot_every=None))
        )
    for p in (59, 64):
        config = TrainConfig(steps=8000, snapshot_every=None)
        runs[f"p{p}_seed0"] = Shipped(
            Preset(tasks.modular_addition(p, 0.5, seed=0), ModelConfig(), config)
        )
    demo = presets.grokking_demo()
    config = TrainConfig(steps=6000, warmup_steps=0, snapshot_every=1000)
    runs["memoriser"] = Shipped(
        Preset(tasks.random_labels(demo.task), demo.model, config), FOLLOWED["memoriser"]
    )
    for (p, a, b), (steps, seeds) in EXPONENTS.items():
        for seed in range(1, seeds + 1):
            task, config = (
                tasks.exponentiated_addition(p, a, b, seed=seed),
                TrainConfig(steps=steps, snapshot_every=1000),
            )
            runs[f"exp_p{p}_a{a}_b{b}_seed{seed}"] = Shipped(
                Preset(task, ModelConfig(seed=seed), config)
            )
    remainders = [
        (p, variant, seed)
        for p, seeds in REMAINDERS_SEEDS.items()
        for variant in seeds
        for seed in range(seeds[variant])
    ]
    for p, variant, seed in remainders:
        name = named(f"remainders_p{p}", variant, seed)
        runs[name] = Shipped(presets.remainders(variant, seed, p), FOLLOWED.get(name, ()))
    for variant, seeds in SORTING_SEEDS.items():
        for seed in range(seeds):
            name = named("sorting", variant, seed)
            runs[name] = Shipped(presets.sorting(variant, seed), FOLLOWED.get(name, ()))
    return {name: made._replace(half=name not in NOT_IN_HALF) for name, made in runs.items()}


def main(names: list[str]) -> None:
    runs = shipped()
    unknown = set(names) - runs.keys()
    if unknown or not names:
        sys.exit(
            f"say which of these to train: {', '.join(runs)}"
            + (f"; unknown: {', '.join(sorted(unknown))}" if unknown else "")
        )
    for name in names:
        preset, snapshots, half = runs[name]
        run = train(*preset, out=ROOT / "runs" / name)
        print(run.metrics.iloc[-1].to_string())
        if not (ROOT / "checkpoints" / name).exists():
            export(run, ROOT / "checkpoints" / name, steps=snapshots, half=half)


if __name__ == "__main__":
    main(sys.argv[1:])
