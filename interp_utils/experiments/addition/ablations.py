"""What breaks a model that adds, and what does not: Nanda et al. 2023, sections 4.4 and A.1."""

from __future__ import annotations

from interp_utils.analysis import neurons, progress
from interp_utils.experiments.rules import Row
from interp_utils.measures import ablation
from interp_utils.models.cached import CachedModel

DESTROYED = {  # the row's name: the published ablation that leaves nothing
    "loss without heads": "heads zero",
    "loss without attention's skip": "attention skip zero",
    "loss off the key directions": "neurons off directions",
}


def row(model: CachedModel, keys: list[int]) -> Row:
    """Ablated over original loss, on all pairs; for ablations that destroy the model also nats."""
    losses = ablation.table(model, keys)
    before = float(losses["loss"]["nothing"])
    ratios = losses["ratio"].drop("nothing").to_dict()
    destroyed = {name: float(losses["loss"][which]) for name, which in DESTROYED.items()}
    return ratios | destroyed | _logits(model, keys, before) | _clusters(model, keys, before)


def _logits(model: CachedModel, keys: list[int], before: float) -> Row:
    """Logits without one frequency at a time, and the fitted cosines alone, on test pairs."""
    labels, test, p = model.task.labels, model.task.test_mask, model.task.p
    without = {
        k: progress.mean_loss(ablation.without_frequency(model, k), labels) / before
        for k in range(1, p // 2 + 1)
    }
    alone = [progress.restricted_loss(model.logits, labels, [k]) for k in keys]
    cosines = progress.project(model.logits, keys, variant="sum_3d")
    on_test = [progress.mean_loss(each, labels, mask=test) for each in (cosines, model.logits)]
    others = [ratio for k, ratio in without.items() if k not in keys]
    return {
        "logits as cosines (test)": on_test[0] / on_test[1],
        "without a key frequency, at least": min(without[k] for k in keys),
        "without another frequency, at most": max(others),
        "one key frequency alone, at least": min(alone) / before,
    }


def _clusters(model: CachedModel, keys: list[int], before: float) -> Row:
    """Each cluster of neurons set to zero: clusters of key frequencies, and leftover clusters."""
    found = neurons.frequency_clusters(model.activation("post", 0))
    cost: dict[bool, list[float]] = {True: [], False: []}
    for k in found.frequency[found.clustered].unique().tolist():
        members = (found.clustered & (found.frequency == k)).nonzero()[:, 0]
        logits = ablation.without_neurons(model, members)
        cost[k in keys].append(progress.mean_loss(logits, model.task.labels) / before)
    return {"without a key cluster": cost[True], "without a leftover cluster": cost[False]}
