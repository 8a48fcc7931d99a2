"""Arguments for every public function that takes tensors, so that a test can go over all of them.

A function that is added is found by being there. Where its arguments have names that are not in the
table yet, the tests that go over all functions fail and say which.
"""

from __future__ import annotations

import functools
import importlib
import inspect
import pkgutil
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pandas as pd
import torch
from torch import Tensor

import interp_utils
from interp_utils import CachedModel, Run, analysis, circuits, measures, neurons
from interp_utils.analysis.group_structure import describe
from interp_utils.devices import for_double
from interp_utils.group_tables import group_table
from interp_utils.measures import group_readings, group_sides
from interp_utils.measures.subject import Subject
from tests import planted, planted_groups

P = 7
MODULI = (2, 3, 5)  # numbers of classes


class Place(NamedTuple):
    """Where floating-point tensors are, and where integers and masks are."""

    numbers: torch.device
    rows: torch.device

    def put(self, value: Any) -> Any:
        if isinstance(value, Tensor):
            return value.to(self._of(value.dtype))
        if isinstance(value, tuple) and hasattr(value, "_fields"):
            return type(value)(*map(self.put, value))
        return type(value)(map(self.put, value)) if isinstance(value, list | tuple) else value

    def _of(self, dtype: torch.dtype) -> torch.device:
        if dtype == torch.float64:
            return for_double(self.numbers)
        return self.numbers if dtype.is_floating_point else self.rows


def functions(*packages: Any) -> dict[str, Callable]:
    """The public functions of some modules and of all in some packages, by full name."""
    found: dict[str, Callable] = {}
    for package in packages:
        inside = pkgutil.walk_packages(getattr(package, "__path__", []), f"{package.__name__}.")
        for name in [package.__name__, *(module.name for module in inside)]:
            for own, function in vars(importlib.import_module(name)).items():
                if inspect.isfunction(function) and function.__module__ == name and own[0] != "_":
                    found[f"{name.removeprefix('interp_utils.')}.{own}"] = _whole(function)
    return found


def _whole(function: Callable) -> Callable:
    """The same function; where it yields, what it yields as a list."""
    if not inspect.isgeneratorfunction(inspect.unwrap(function)):
        return function
    return functools.wraps(function)(lambda **given: list(function(**given)))


FUNCTIONS = functions(interp_utils.losses, analysis, measures, interp_utils.group_tables)
# On groups, and proofs: computed in float64 on the CPU, wherever their arguments are
# (`precision.exactly`).
ON_GROUPS = (
    *("characters", "cosets", "group_circuits", "group_neurons", "group_progress"),
    *("group_readings", "group_sides", "group_structure", "irreps", "isotypic", "ladder"),
    *("rho_sets", "subgroups", "certificates"),
)


def is_on_groups(name: str) -> bool:
    return name.split(".")[-2] in ON_GROUPS


def random(*shape: int, seed: int = 0) -> Tensor:
    return planted.random(*shape, seed=seed).float()


def integers(limit: int, *shape: int) -> Tensor:
    return torch.randint(limit, shape, generator=torch.Generator().manual_seed(limit))


@functools.cache
def of_groups() -> dict[str, Any]:
    """Values for functions on groups, by the names of their arguments: on S3, whose irrep 2 has
    special lines.
    """
    group = describe(group_table("S3"))
    network = planted_groups.rho_set_network(group, "standard", 3)
    pre = network.pre + 0.1 * planted.random(*network.pre.shape)
    x, mask = random(6, 5), torch.arange(36) % 3 > 0
    post, attention = pre.relu(), random(6, 6, 2, 2).softmax(-1)
    labels = group.table.flatten()
    readings = (pre.relu() @ network.W_L, pre, post, network.W_L, x, labels, mask, attention)
    values = {
        "table": group.table,
        "group": group,
        "irreps": group.irreps,
        "families": group.families,
        "of": group.families,
        "found": group.subgroups,
        "subgroup": group.subgroups[1],
        "rho": group.rho[2],
        "lines": group.lines[2],
        "side": "left",
        "irrep": 2,
        "orbit": 0,
        "keys": [1, 2],
        "model": group_readings.Parts(*readings, torch.relu),
        "measure": lambda pre: pre.square().mean().item(),
        "flip": False,
        "elements": torch.arange(3),
        # proofs
        "neurons": random(36, 5),
        "rank": 2,
        # tensors on the group, on pairs, and of neurons
        "logits": random(6, 6, 6),
        **{name: random(6, 6, 5, seed=1) for name in ("grid", "hidden", "pre")},
        **dict.fromkeys(("u", "functions", "weight"), x),
        **{name: random(5, 2, 2, seed=seed) for seed, name in enumerate("ABC")},
        **{name: group.lines[2].vectors[[0, 1, 2, 0, 1]] for name in "bc"},
        "labels": group.table.flatten(),
        "mask": mask,
        "W_L": random(5, 6),
        "alpha": random(5).sigmoid(),
        "energy": random(5).exp(),
        "values": random(5, seed=1),
        "vectors": random(5, 2),
        "cluster": torch.tensor([0, 1, 0, 0, 1]),
        "family": torch.tensor([0, 1, 2, 0, 1]),
    }
    side = group_sides.read_side(x, group, False)
    of_functions = {
        "order_by_coset.family": 0,
        **dict.fromkeys(("certified.logits", "proof_rank.logits"), random(36, 6)),
        "proof_rank.share": 0.9,
        "beyond_chance.side": side,
        "group_sides.measure.sides": dict.fromkeys("xyz", side),
        **{f"{name}.side": x for name in ("dominant_irrep", "dominant_part", "on_best_cosets")},
    }
    return {f"groups.{name}": value for name, value in values.items()} | of_functions


@functools.cache
def table(run: Run, place: Place) -> dict[str, Any]:
    """Values by the names of arguments, or of a function and its argument where that is more
    particular.
    """
    task = run.task
    mask, labels, p_by_p = task.train_mask, planted.labels(P), random(P, P, P)
    head, query = random(3, 6, 2, seed=1), random(3, 6, 2, seed=2)
    model = CachedModel(run.model(device=place.numbers), task)
    post = model.activation("post", 0).cpu()
    circuit = circuits.Factored(random(3, P, 2), random(3, 2, P, seed=1))
    answers = torch.stack([torch.arange(P * P) % q for q in MODULI], 1)
    packed, pattern = random(P * P, sum(MODULI)), random(4, 2, 6, 6).softmax(-1)
    sorted_lists = torch.full((4, 6), -1)
    sorted_lists[:, 3:] = integers(5, 4, 3).sort(1).values
    long = pd.DataFrame(
        {
            "step": range(0, 80, 10),
            "train_loss": [2.0, 1, 0.5, 0.1, 1e-3, 1e-3, 1e-3, 1e-3],
            "highest_train_loss": [2.0, 2, 1, 0.5, 0.1, 1e-3, 1e-3, 1e-3],
            "test_loss": [2.0, 3, 4, 1, 1e-4, 1e-4, 1e-4, 1e-4],
            "train_accuracy": [0.1, 0.5, 1, 1, 1, 1, 1, 1],
            "test_accuracy": [0.1, 0.1, 0.1, 0.5, 1, 1, 1, 1],
            "test_accuracy/3": [0.1, 0.1, 0.1, 0.5, 1, 1, 1, 1],
        }
    )
    measured = pd.DataFrame(
        {
            "step": [0, 0, 10, 10],
            "measure": ["loss", "single_excluded_loss"] * 2,
            "level": [None, "logits"] * 2,
            "variant": [None, "sum"] * 2,
            "split": ["train"] * 4,
            "frequency": [None, 1] * 2,
            "value": [2.0, 2.5, 1.0, 1.5],
        }
    )
    by_frequency = "excluded loss of one frequency"
    values: dict[str, Any] = {
        # measures by name
        "wide.table": measured,
        "wide.measures": ["train loss"],
        "wide_each.table": measured,
        "wide_each.measure": by_frequency,
        "history.measured": measured,
        "history.measures": ["train loss"],
        "history_of_each.measured": measured,
        "history_of_each.measure": by_frequency,
        "harmonics.count": 3,
        "memorised": 100,
        "generalised": 900,
        # grids and what belongs to them
        "logits": planted.clock(P, {1: 3.0, 2: 1.0}).float() + 0.1 * p_by_p,
        "labels": labels,
        "mask": mask,
        "fit": mask,
        "train_mask": mask,
        "keys": [1, 2],
        "k": 2,
        "p": P,
        "grid": p_by_p,
        "x": p_by_p,
        "components": p_by_p,
        "activations": random(P, P, 5),
        "values": random(P, 3),
        "approximation": random(P, 3, seed=1),
        "attention": random(P, P).sigmoid(),
        # weights
        "W_E": random(P, 6),
        "W_L": random(5, P),
        "W_Q": query,
        "W_K": head,
        "W_V": query,
        "W_O": head.mT.contiguous(),
        "W_U": random(6, P),
        "W_in": random(6, 5),
        "W": random(6, 5),
        "gain": random(6),
        "weights": random(P, 3),
        "query": random(6),
        "circuit": circuit,
        "direction": random(5),
        "directions": random(2, 5),
        "on_directions.directions": random(2, 32),
        "matrix": random(4, 3),
        "frequency": torch.tensor([1, 2, 3, 1, 0]),
        # answers, sequences, remainders
        "n_classes": [P],
        "tokens": task.tokens,
        "asked": sorted_lists >= 0,
        "pattern": pattern,
        "d_vocab": P + 1,
        "remainders": answers,
        "moduli": MODULI,
        "limit": 30,
        "prime": torch.arange(P * P) % 2 == 1,
        "periods": [2, 3, 5],
        "places": (P, 1),
        "shares": random(3, 4).sigmoid(),
        "classes": [2, 3, 5],
        "n": P * P,
        # primes and greatest common divisors
        "numbers": torch.arange(P * P) + 2,
        "divisors": [2, 3],
        "scores": random(P * P),
        **dict.fromkeys(("positive", "said"), torch.arange(P * P) % 3 == 0),
        "predictions": torch.arange(P * P) % 3 + 1,
        "gcds": torch.arange(P * P) % 4 + 1,
        "up_to": 4,
        "learned": [1, 2, 4],
        "primes": [2, 3],
        "base": 6,
        "place": 1,
        **{f"{name}_part.prime": 3 for name in ("power", "residue")},
        "divisibility_share.prime": 3,
        "bits_beyond.logits": random(P * P, 2),
        **{
            f"{name}.{argument}": value
            for name in ("erased", "probe", "shuffled_accuracies")
            for argument, value in {
                "activations": random(P * P, 5),
                "classes": torch.arange(P * P) % 3,
            }.items()
        },
        "logits_at": lambda tokens, places: torch.nn.functional.one_hot(
            tokens[places.to(tokens.device)] % 4, 5
        ).float(),
        "free_running.tokens": integers(5, 4, 6),
        # names of inputs
        "u": torch.arange(P) ** 2 % P,
        "v": 3 * torch.arange(P) % P,
        "names": torch.arange(P),
        "names_u": torch.arange(P),
        "names_v": 2 * torch.arange(P) % P,
        # ranks, counts, spectra
        "groups": torch.arange(P) % 2,
        "y": random(P, seed=2),
        "n_permutations": 99,
        "spectrum": random(P).exp(),
        "history": random(5, P).exp(),
        "count": torch.arange(5),
        "power": random(P).exp(),
        "parts": random(P).exp(),
        # models, runs and their logs
        "run": run,
        "model": model,
        "sums": model,
        "why_not": "",
        "metrics": long,
        "holds": pd.Series([False, True, True], index=[0, 10, 20]),
        "look": lambda cached: cached.logits.mean().item(),
        "embeddings": random(P, 16),
        "frequencies": [1, 2],
        "clusters": neurons.frequency_clusters(post, threshold=0.3),
        "subject": Subject(model, [1, 2]),
        "which": torch.tensor([0, 3, 4]),
        "variant": "sum",
        "how": "mean",
        "axes": 1,
        "name": "post",
        "what": "inputs",
        "difference": random(P, P, seed=3),
        "table.names": None,
        "progress": False,
        "device": place.numbers,
        # of particular functions
        "check_table.table": group_table("S3"),
        "group_table.name": "S3",
        "g": group_table("C2"),
        "h": group_table("C3"),
        **{f"{name}.table": group_table("S3") for name in ("identity", "inverses")},
        "element_orders.table": group_table("S3"),
        **of_groups(),
        "parts.model": model,
        "transform.x": p_by_p,
        "gini.values": random(P).exp(),
        "mean_ranks.values": random(P),
        "kruskal_wallis.values": random(P),
        "spearman.x": random(P),
        "compare.x": random(P),
        "compare.y": random(P, seed=1),
        "variance_explained.values": random(P, P, 3),
        "variance_explained.approximation": random(P, P, 3, seed=1),
        "frequency_plane.x": random(P, 3),
        "inverse_participation_ratio.x": random(3, P),
        "key_frequency_table.tensors": {"logits": p_by_p, "W_E": random(P, 3)},
        "share_on.grid": p_by_p,
        "attention_scores.keys": random(P, 6),
        "copying_score.tokens": None,
        "ov_circuit.tokens": None,
        "qk_circuit.tokens": None,
        "matching_score.tokens": None,
        "class_shares.labels": answers[:P],
        "without_classes.classes": torch.arange(P) % 3,
        "unseen_share.names": torch.arange(P * P) % 11,
        "within_share.names": torch.arange(P) % 3,
        "grid_frequency_shares.values": random(P, P, 3),
        **{f"{f}.phases": random(P, P, 3) for f in ("spectrum", "share_of_sums", "strongest_wave")},
        "gradient_symmetricity.n": 10,
        "with_attention_to_a.attention": random(P, P, 2).sigmoid(),
        "with_neurons.activations": random(P, P, 32),
        "ablation_matrix.ablations": [packed, packed.flip(0)],
        "measure.steps": [60],
        "measure.keys": [1, 2],
        "follow.steps": [0, 60],
        "steps_by_answer.measure": "test_accuracy",
        # labels of several answers, and of sequences
        **{
            f"answers.{name}.{argument}": value
            for name in (
                *("split", "predictions", "losses", "mean_losses", "accuracies"),
                *("ablation_matrix", "selected"),
            )
            for argument, value in {
                "logits": packed,
                "labels": answers,
                "n_classes": MODULI,
                "mask": mask,
            }.items()
        },
        **{
            f"losses.{name}.{argument}": value
            for name in (
                "cross_entropy",
                "cross_entropy_float64",
                "cross_entropy_log_softmax",
                "stablemax_cross_entropy",
                "cosine_loss",
                "class_counts",
            )
            for argument, value in {
                "logits": packed,
                "labels": answers,
                "n_classes": MODULI,
            }.items()
        },
        "sequence_accuracy.logits": random(4, 6, 5),
        **{
            f"{name}.{argument}": value
            for name in ("sequence_accuracy", "by_token", "attends_to_answer", "by_rank")
            for argument, value in {
                "labels": sorted_lists,
                "tokens": integers(5, 4, 6),
            }.items()
        },
    }
    return {name: place.put(value) for name, value in values.items()}


def arguments(name: str, values: dict[str, Any]) -> dict[str, Any]:
    """Those of a function, from the table. Optional ones that the table does not have are left
    out.
    """
    chosen: dict[str, Any] = {}
    *_, module, function = name.split(".")
    for parameter in inspect.signature(FUNCTIONS[name]).parameters.values():
        keys = [
            f"{module}.{function}.{parameter.name}",
            f"{function}.{parameter.name}",
            f"groups.{parameter.name}" if is_on_groups(name) else parameter.name,
            parameter.name,
        ]
        key = next((key for key in keys if key in values), None)
        if key is not None:
            chosen[parameter.name] = values[key]
        elif parameter.default is parameter.empty:
            raise LookupError(
                f'{name} is new here: give tests/arguments.py a value for its "{parameter.name}"'
            )
    if "tensors" in chosen:
        chosen = chosen.pop("tensors")
    if "ablations" in chosen:
        chosen["ablations"] = [lambda logits=logits: logits for logits in chosen["ablations"]]
    return chosen


def leaves(value: Any) -> Iterator[Any]:
    """The numbers and tensors in a result, in order."""
    if isinstance(value, pd.DataFrame | pd.Series):
        value = value.to_dict()
    if isinstance(value, CachedModel):
        value = value.logits
    if hasattr(value, "__dataclass_fields__"):
        value = vars(value)
    if isinstance(value, dict):
        value = sorted(value.items(), key=lambda item: str(item[0]))
    if isinstance(value, list | tuple):
        for part in value:
            yield from leaves(part)
    else:
        yield value
