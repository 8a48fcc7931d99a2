"""What training and measuring cost on this machine: `make bench`.

    python -m benchmarks [--quick] [--repeats N] [--out results.json]

Prints a table per question and writes all of them as JSON, each number as its median over the
repeats with the lowest and the highest. On a machine with a GPU there is a table for it beside each
of the CPU's.
"""

from __future__ import annotations

import argparse
import json
import platform
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from benchmarks import grokking, loops, session
from benchmarks.timing import section, spread, table, take_turns
from interp_utils import Run
from interp_utils.experiments.base import Recipe
from interp_utils.experiments.faster import recipes as faster
from interp_utils.experiments.gcd.recipes import of_base
from interp_utils.experiments.sorting.recipes import VARIANTS
from interp_utils.measures import milestones

ROOT = Path(__file__).parents[1]
MAIN = ROOT / "checkpoints" / "modular_addition"
PRODUCTS = ("float32", "bfloat16")
OURS = "ours: what train() runs"


def steps(p: int, repeats: int, device: torch.device) -> dict[str, Any]:
    demo = "HookedTransformer, float64 loss, train and test pass (the public demo's loop)"
    compared = {
        demo: loops.hooked(p, device, demo=True),
        "HookedTransformer, train pass only": loops.hooked(p, device, demo=False),
        OURS: loops.ours(*loops.addition(p), device),
        "its matrix products alone": loops.products(*loops.addition(p), device),
    }
    return section(
        f"full-batch step, p = {p}", take_turns(compared, repeats, device), OURS, device=device.type
    )


def block(p: int, repeats: int, device: torch.device) -> dict[str, Any]:
    compared = {
        "the plain block": loops.ours(*loops.addition(p), device),
        "simplified, as it is written down": loops.block(p, "hooked", device),
        OURS: loops.block(p, "table", device),
        "its matrix products alone": loops.block_products(p, device),
        "simplified and parallel": loops.block(p, "table", device, "parallel"),
    }
    title = f"full-batch step of a simplified block, p = {p}"
    return section(title, take_turns(compared, repeats, device), OURS, device=device.type)


def growth(
    field: str, values: list[int], p: int, repeats: int, device: torch.device
) -> dict[str, Any]:
    """The step as p or d_mlp grows, and its matrix products."""
    compared = {}
    for value in values:
        sizes = {"p": p, "d_mlp": 512, field: value}
        compared[f"{field} = {value}"] = loops.ours(*loops.addition(**sizes), device)
        compared[f"{field} = {value}, products alone"] = loops.products(
            *loops.addition(**sizes), device
        )
    return section(
        f"full-batch step as {field} grows",
        take_turns(compared, repeats, device),
        f"{field} = {values[0]}",
        device=device.type,
    )


def seeds(p: int, numbers: list[int], repeats: int, device: torch.device) -> dict[str, Any]:
    """The step of train_many, per member."""
    compared, per = {OURS: loops.ours(*loops.addition(p), device)}, {}
    for number in numbers:
        for name, step in (
            (f"{number} seeds", loops.stacked(p, number, device)),
            (f"{number} seeds, products alone", loops.products(*loops.addition(p), device, number)),
        ):
            compared[name], per[name] = step, number
    return section(
        f"step per seed, many at once, p = {p}",
        take_turns(compared, repeats, device),
        OURS,
        per,
        device=device.type,
    )


def remainders(p: int, repeats: int, device: torch.device) -> dict[str, Any]:
    task, config = loops.remainders(p)
    compared = {
        OURS: loops.ours(task, config, device),
        "its matrix products alone": loops.products(task, config, device),
    }
    title = (
        f"full-batch step of {len(task.n_classes)} remainders, {sum(task.n_classes)} classes, "
        "d_model 256"
    )
    return section(title, take_turns(compared, repeats, device), OURS, device=device.type)


def fresh(name: str, recipe: Recipe, repeats: int, device: torch.device) -> dict[str, Any]:
    """The step of a recipe that draws its inputs, and how many of them are learned from in a
    second.
    """
    compared = {
        "HookedTransformer": loops.fresh(recipe, "hooked", device),
        OURS: loops.fresh(recipe, "table", device),
    }
    seconds = take_turns(compared, repeats, device)
    found = section(f"step of {name}", seconds, OURS, device=device.type)
    size = recipe.train.batch_size
    rates = {loop: [size / each for each in own] for loop, own in seconds.items()}
    rows = {loop: {"examples/s": spread(own)} for loop, own in rates.items()}
    return found | {"examples": table({"title": f"the same, batches of {size}", "rows": rows})}


def grokked(number: int, repeats: int) -> dict[str, Any]:
    """The fast recipe on so many seeds, each from nothing; beside it the public demo's loop, for as
    many steps as its settings take in the run that ships.
    """
    cpu, rows = torch.device("cpu"), {}
    for products in PRODUCTS:
        found = [grokking.to_generalise(faster.fast(seed), products) for seed in range(number)]
        done = [each for each in found if each]
        rows[f"the fast recipe, products in {products}, {len(done)} of {number} seeds"] = {
            column: spread([each[column] for each in done]) for column in (done or [{}])[0]
        }
    steps = milestones.generalisation(Run.load(MAIN).metrics).generalised
    demo = {"HookedTransformer": loops.hooked(Run.load(MAIN).task.p, cpu, demo=True)}
    seconds = [steps * each for each in take_turns(demo, repeats, cpu)["HookedTransformer"]]
    name = "the public demo's loop and settings, by the time of a step"
    rows[name] = {"steps": spread([steps]), "s": spread(seconds)}
    return table({"title": "from nothing to 99 % of test pairs", "device": "cpu", "rows": rows})


def sessions(checkpoint: Path, repeats: int) -> dict[str, Any]:
    """Each in a process of its own; the first round fills the file system's caches."""
    rows: dict[str, list[float]] = {}
    for repeat in range(repeats + 1):
        for name in session.SCENARIOS:
            answer = subprocess.check_output(
                [sys.executable, session.__file__, name, str(checkpoint)], text=True, cwd=ROOT
            )
            for column, value in json.loads(answer).items():
                if repeat:
                    rows.setdefault(f"{name}: {column}", []).append(value)
    return table(
        {
            "title": f"in a fresh process, {checkpoint.name}",
            "rows": {name: {"": spread(values)} for name, values in rows.items()},
        }
    )


def results(quick: bool, repeats: int) -> Iterator[dict[str, Any]]:
    p = 23 if quick else 113
    for device in map(torch.device, ["cpu", "cuda"][: 1 + torch.cuda.is_available()]):
        many = [2, 4] if quick else [1, 2, 4, 8] if device.type == "cpu" else [1, 8, 64]
        yield steps(p, repeats, device)
        yield block(p, repeats, device)
        yield remainders(p, repeats, device)
        yield growth("p", [11, 23] if quick else [53, 113, 173], p, repeats, device)
        yield growth("d_mlp", [128, 512] if quick else [128, 512, 2048], p, repeats, device)
        for size in [11] if quick else [23, 53, 113]:
            yield seeds(size, many, repeats, device)
        for variant in list(VARIANTS)[: 1 if quick else None]:
            yield fresh(f"sorting: {variant}", VARIANTS[variant], repeats, device)
        for base in [30] if quick else [2, 10, 30]:
            recipe = of_base(base)
            yield fresh(f"greatest common divisors: base {base}", recipe, repeats, device)
    yield grokked(1 if quick else max(repeats, 10), repeats)
    yield sessions(ROOT / "checkpoints" / ("p59_seed0" if quick else "modular_addition"), repeats)


def machine() -> dict[str, Any]:
    return {
        "platform": platform.platform(),
        "processor": platform.processor() or platform.machine(),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description="What training and measuring cost on this machine."
    )
    parser.add_argument("--quick", action="store_true", help="small sizes, to see that it works")
    parser.add_argument(
        "--repeats", type=int, help="turns of every loop; default 7, with --quick 2"
    )
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "benchmarks.json")
    arguments = parser.parse_args()
    repeats = arguments.repeats or (2 if arguments.quick else 7)
    about = {**machine(), "repeats": repeats, "quick": arguments.quick}
    print(*(f"{name}: {value}" for name, value in about.items()), sep=", ")
    found = list(results(arguments.quick, repeats))
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(json.dumps({"machine": about, "sections": found}, indent=1) + "\n")
    print(f"\nwritten to {arguments.out}")


if __name__ == "__main__":
    main()
