"""What the explorer shows for every snapshot of a run, as arrays with a step axis."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor
from tqdm.auto import tqdm

from interp_utils.analysis import fourier, neurons, progress
from interp_utils.devices import Device
from interp_utils.models.cached import CachedModel

if TYPE_CHECKING:
    from interp_utils.runs.run import Run

MOST_CIRCLES, MOST_HEADS, MOST_NEURONS = 6, 4, 8


@dataclass(frozen=True)
class History:
    """One training. p: the modulus; keys: the frequencies of the last snapshot; steps: those shown.

    arrays:  name -> "step ...", drawn as they are: "logits" and "embedding" (shares by frequency),
             "restricted", "excluded" and "test_accuracy" (a number per step), "neuron_shares".
    grids:   name -> "step which a b": "neurons" and "attention"; drawn in colours.
    circles: "step key value 2", the embeddings in the plane of each key frequency.
    found:   whether keys are key frequencies, or, since there are none, the largest ones.
    """

    p: int
    keys: list[int]
    found: bool
    steps: list[int]
    neurons: list[int]
    heads: list[int]
    arrays: dict[str, np.ndarray]
    grids: dict[str, np.ndarray]
    circles: np.ndarray

    def thinned(self) -> History:
        """The history with every other snapshot, including the first and the last."""
        last = len(self.steps) - 1
        kept = sorted({*range(0, last + 1, 2), last})
        return replace(
            self,
            steps=[self.steps[index] for index in kept],
            arrays={name: array[kept] for name, array in self.arrays.items()},
            grids={name: array[kept] for name, array in self.grids.items()},
            circles=self.circles[kept],
        )


@torch.no_grad()
def history(
    run: Run,
    neurons_shown: Sequence[int] | None = None,
    heads_shown: Sequence[int] | None = None,
    *,
    layer: int = 0,
    device: Device = None,
    progress: bool = True,
) -> History:
    """A run's history in the coordinates whose sum is the label.

    neurons_shown: default those that the key frequencies explain best, at least two for each.
    heads_shown:   default the first four.
    Raises ValueError for a run without an operation, without snapshots, or whose model has no such
    neuron, head or layer.
    """
    model = CachedModel(run.model(device=device), run.task).as_sums()
    _require(model, layer)
    keys, found = _keys(model.logits)
    shown = _neurons(model, keys, layer) if neurons_shown is None else list(neurons_shown)
    cfg = model.model.cfg
    heads = list(range(cfg.n_heads))[:MOST_HEADS] if heads_shown is None else list(heads_shown)
    _check_choice("neurons", shown, cfg.d_mlp or 0)
    _check_choice("heads", heads, cfg.n_heads)
    axes = [_plane(model.W_E[0], k) for k in keys[:MOST_CIRCLES]]
    rows = []
    for step in tqdm(run.steps, desc="exploring", unit="snapshot", disable=not progress):
        cached = CachedModel(run.model(step, device), run.task).as_sums()
        rows.append(_snapshot(cached, keys, axes, shown, heads, layer))
    stacked = {name: np.stack([row[name] for row in rows]) for name in rows[0]}
    return History(
        p=model.task.p,
        keys=keys,
        found=found,
        steps=list(run.steps),
        neurons=shown,
        heads=heads,
        circles=stacked.pop("circles"),
        grids={name: stacked.pop(name) for name in ("neurons", "attention") if name in stacked},
        arrays=stacked,
    )


def _require(model: CachedModel, layer: int) -> None:
    progress.check_addition(model.logits, model.task.labels, any_labels=True)
    n_layers = model.model.cfg.n_layers
    if not 0 <= layer < n_layers:
        raise ValueError(f"the model has the layers 0 .. {n_layers - 1}, got {layer}")


def _check_choice(what: str, chosen: Sequence[int], there: int) -> None:
    wrong = [index for index in chosen if not 0 <= index < there]
    if wrong:
        raise ValueError(f"the model has {there} {what}, got {wrong}")
    if len(set(chosen)) < len(chosen):
        raise ValueError(f"{what} must be different, got {list(chosen)}")


def _keys(logits: Tensor) -> tuple[list[int], bool]:
    """Key frequencies, or, where a model has none, its four largest, and whether they are keys."""
    try:
        return fourier.key_frequencies(logits), True
    except ValueError:
        by_share = _logit_shares(logits).argsort(descending=True).tolist()
        return sorted([k for k in by_share if k > 0][:4]), False


def _neurons(model: CachedModel, keys: Sequence[int], layer: int) -> list[int]:
    """For each key frequency, equally many of the neurons that it explains best."""
    cfg = model.model.cfg
    if not cfg.d_mlp or cfg.attn_only:
        return []
    clusters = neurons.frequency_clusters(model.activation("post", layer))
    share = clusters.variance_explained
    shown: list[int] = []
    for k in keys[:MOST_NEURONS]:
        of_k = (clusters.frequency == k).nonzero()[:, 0]
        best = of_k[share[of_k].argsort(descending=True)]
        shown += best[: max(1, MOST_NEURONS // len(keys))].tolist()
    return shown or share.argsort(descending=True)[:MOST_NEURONS].tolist()


def _plane(W_E: Tensor, k: int) -> Tensor:
    """The axes "d_model 2" of a frequency's plane in the last snapshot, which are used for all
    snapshots. p / 2 spans only a line.
    """
    rows = fourier.transform(W_E)[2 * k - 1 : 2 * k + 1]
    axes = torch.linalg.qr(rows.T).Q
    return torch.cat([axes, torch.zeros_like(axes)], 1)[:, :2]


def _snapshot(
    model: CachedModel,
    keys: Sequence[int],
    axes: Sequence[Tensor],
    shown: Sequence[int],
    heads: Sequence[int],
    layer: int,
) -> dict[str, np.ndarray]:
    names = [("post", layer)] if shown else []
    model.fetch(*names, ("pattern", layer))
    logits, task = model.logits, model.task
    masks = task.splits
    train = masks.get("train")
    W_E = model.W_E[0]
    values: dict[str, Tensor | float] = {
        "restricted": progress.mean_loss(progress.restrict(logits, keys), task.labels),
        "excluded": progress.mean_loss(progress.remove(logits, keys), task.labels, mask=train),
        "test_accuracy": progress.accuracy(logits, task.labels, mask=masks.get("test")),
        "logits": _logit_shares(logits),
        "embedding": fourier.frequency_shares(W_E).nan_to_num(0),
        "circles": torch.stack([W_E @ plane for plane in axes]),
        "attention": model.attention_to(0, layer)[..., list(heads)].permute(2, 0, 1),
    }
    if shown:
        post = model.activation("post", layer)[..., list(shown)]
        values["neurons"] = post.permute(2, 0, 1)
        shares = fourier.neuron_variance_by_frequency(post).nan_to_num(0)
        values["neuron_shares"] = shares.T
    return {
        name: np.asarray(torch.as_tensor(value).detach().cpu(), dtype=np.float32)
        for name, value in values.items()
    }


def _logit_shares(logits: Tensor) -> Tensor:
    """The share of the logits' variance over pairs on cos, sin w_k(a + b), by frequency 0 .. p //
    2; 0 for the constant, and where nothing varies.
    """
    on = fourier.by_frequency(fourier.sum_components(logits).square()).sum(-1)
    on[0] = 0
    total = (logits - logits.mean((0, 1))).square().sum()
    return on / total if total > 0 else torch.zeros_like(on)
