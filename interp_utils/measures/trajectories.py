"""A run's history: every measure of every snapshot in one table."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import torch
from torch import Tensor
from tqdm.auto import tqdm

from interp_utils import devices, models
from interp_utils.analysis import algorithm, fourier, neurons, progress, sparsity
from interp_utils.devices import Device
from interp_utils.losses import cross_entropy
from interp_utils.measures import histories, milestones
from interp_utils.models.cached import CachedModel
from interp_utils.runs.run import Run

if TYPE_CHECKING:
    import pandas as pd

Row = dict[str, Any]
T = TypeVar("T")
COLUMNS = ["step", "measure", "level", "variant", "split", "frequency", "value"]
MEMORY = 2**28  # bytes a forward may take beside its results


def measure(
    run: Run,
    keys: Sequence[int] | None = None,
    steps: Sequence[int] | None = None,
    device: Device = None,
    progress: bool = True,
) -> pd.DataFrame:
    """All measures of Nanda et al. 2023 (section 5), and some since, at every snapshot: one row per
    number.

    keys: the key frequencies; default those of the last snapshot's logits. They are the same for
    every step.
    Columns: step, measure, and where they apply level ("logits" or "neurons", what was projected;
    or the name of a weight), variant (of `progress.project`), split ("all", "train", "test"),
    frequency, value. Losses are in nats; for tasks whose labels are not a + b (controls) they refer
    to the task's own labels.
    """
    import pandas as pd

    if keys is None:
        last = CachedModel(run.model(device=device), run.task, memory=MEMORY)
        keys = fourier.key_frequencies(last.as_sums().logits)
    rows: list[Row] = []
    for step in tqdm(
        run.steps if steps is None else steps,
        desc="measuring",
        unit="snapshot",
        disable=not progress,
    ):
        rows += [
            {"step": step, **row}
            for row in measure_model(
                CachedModel(run.model(step, device), run.task, memory=MEMORY), keys
            )
        ]
    return pd.DataFrame(rows, columns=COLUMNS)


def history(
    measured: pd.DataFrame | Run,
    measures: Sequence[str],
    *,
    device: Device = None,
    progress: bool = True,
) -> pd.DataFrame:
    """Measures over training side by side, as figures take them: column "step" and one column for
    each measure, named as in `histories.MEASURES`; NaN where a measure means nothing for the run.

    measured: a run, whose every snapshot is then measured, or what `measure` made of one.
    Raises ValueError for a name that is none of these.
    """
    if isinstance(measured, Run):
        measured = measure(measured, device=device, progress=progress)
    return histories.wide(measured, measures)


def history_of_each(measured: pd.DataFrame, measure: str) -> pd.DataFrame:
    """A measure that has a number for each frequency or each weight (`histories.EACH`): column
    "step", and one column for each. Column k is frequency k.
    """
    return histories.wide_each(measured, measure)


@torch.no_grad()
def measure_model(model: CachedModel, keys: Sequence[int]) -> list[Row]:
    """The measures of one model, as rows of `measure`. Needs a one-layer model on a task that
    states of which coordinates its label is the sum: frequencies are those of these coordinates.

    Where the operands have different embeddings, in these coordinates, the levels "W_E a" and
    "W_E b" stand in place of "W_E".
    """
    _require_one_layer(model)
    model = model.as_sums()
    model.fetch(("pre", 0), ("post", 0), ("resid_mid", 0))
    progress.check_addition(model.logits, model.task.labels, any_labels=True)
    W_L, (a, b) = model.W_L, model.W_E
    embeddings = {"W_E": a} if a.equal(b) else {"W_E a": a, "W_E b": b}
    return [
        *_losses(model, keys, W_L),
        *_shares(model, keys),
        *_weights(model, {**embeddings, "W_L": W_L.T}),
        *_algorithm(model, keys),
    ]


def _require_one_layer(model: CachedModel) -> None:
    if model.model.cfg.n_layers != 1:
        raise ValueError(
            f"these measures are of one-layer models, this one has {model.model.cfg.n_layers} "
            "layers"
        )


def _losses(model: CachedModel, keys: Sequence[int], W_L: Tensor) -> Iterator[Row]:
    logits, post, task = model.logits, model.activation("post", 0), model.task
    yield from _by_split(model, logits, measure="")
    for variant in ("sum", "block2x2", "block3x3", "sum_3d"):
        on = progress.project(logits, keys, variant=variant)
        about = {"level": "logits", "variant": variant}
        yield from _by_split(model, logits - on, measure="excluded_", **about)
        if variant != "sum_3d":
            yield from _by_split(model, logits.mean((0, 1)) + on, measure="restricted_", **about)
    # On the neurons: restricted is the MLP's linear path alone, with the logits' mean; excluded
    # leaves the skip path as it is.
    on = progress.project(post, keys) @ W_L
    yield from _by_split(model, logits - on, measure="excluded_", level="neurons", variant="sum")
    yield from _by_split(
        model, logits.mean((0, 1)) + on, measure="restricted_", level="neurons", variant="sum"
    )
    for variant in ("sum", "sum_3d") if task.split_known else ():
        single = progress.single_excluded_losses(
            logits, task.labels, mask=task.train_mask, variant=variant, any_labels=True
        ).tolist()
        for k, value in enumerate(single):
            yield {
                "measure": "single_excluded_loss",
                "level": "logits",
                "variant": variant,
                "split": "train",
                "frequency": k,
                "value": value,
            }


def _by_split(model: CachedModel, logits: Tensor, measure: str, **about: str) -> Iterator[Row]:
    flat, task = logits.flatten(0, 1), model.task
    losses, right = cross_entropy(flat, task.labels), flat.argmax(-1) == task.labels
    for split, mask in task.splits.items():
        yield {
            "measure": f"{measure}loss",
            "split": split,
            "value": losses[mask].mean().item(),
            **about,
        }
        yield {
            "measure": f"{measure}accuracy",
            "split": split,
            "value": devices.double(right[mask]).mean().item(),
            **about,
        }


def _shares(model: CachedModel, keys: Sequence[int]) -> Iterator[Row]:
    grids = {
        "pre": model.activation("pre", 0),
        "post": model.activation("post", 0),
        "logits": model.logits,
    }
    for level, grid in grids.items():
        yield {
            "measure": "share_on_keys",
            "level": level,
            "variant": "sum",
            "split": "all",
            "value": progress.share_on(grid, keys),
        }


def _weights(model: CachedModel, tokens_first: dict[str, Tensor]) -> Iterator[Row]:
    for name, weight in models.named_weights(model.model).items():
        yield {
            "measure": "sum_squared_weights",
            "level": name,
            "value": weight.square().sum().item(),
        }
    for name, weight in tokens_first.items():
        components = fourier.transform(weight)[1:].norm(dim=1)
        frequencies = fourier.power(weight)[1:].sum(1).sqrt()
        yield {
            "measure": "gini",
            "level": name,
            "variant": "components",
            "value": sparsity.gini(components),
        }
        yield {
            "measure": "gini",
            "level": name,
            "variant": "frequencies",
            "value": sparsity.gini(frequencies),
        }
        ipr = sparsity.inverse_participation_ratio((weight - weight.mean(0)).T).mean().item()
        yield {"measure": "inverse_participation_ratio", "level": name, "value": ipr}
        if len(weight) % 2:
            density = sparsity.fourier_density(weight)
            yield {"measure": "ffd", "level": name, "value": density.ffd}
            yield {"measure": "fcr", "level": name, "value": density.fcr}


def _algorithm(model: CachedModel, keys: Sequence[int]) -> Iterator[Row]:
    fit = algorithm.cosine_fit(model.logits, keys)
    for k, value in enumerate(fit.coefficients.tolist()):
        yield {
            "measure": "cosine_coefficient",
            "level": "logits",
            "split": "all",
            "frequency": k,
            "value": value,
        }
    yield {
        "measure": "variance_explained",
        "level": "logits",
        "variant": "sum_3d",
        "split": "all",
        "value": fit.variance_explained,
    }
    yield {
        "measure": "distance_irrelevance",
        "level": "logits",
        "split": "all",
        "value": algorithm.distance_irrelevance(model.logits),
    }
    yield {
        "measure": "gradient_symmetricity",
        "level": "W_E",
        "value": gradient_symmetricity(model),
    }


@torch.enable_grad()
def gradient_symmetricity(model: CachedModel, n: int = 100, seed: int = 0) -> float:
    """Mean cosine of the gradients of a logit by the embeddings of a and of b, over n random (a, b,
    c); 1 is a pizza, less a clock.

    In the coordinates of which the label is the sum. Zhong et al. 2023, definition 4.1.
    """
    model = model.as_sums()
    a, b = (operand.position for operand in model.task.operands)
    generator = torch.Generator().manual_seed(seed)
    inputs = torch.randint(len(model.task), (n,), generator=generator)
    classes = torch.randint(model.task.n_classes[0], (n,), generator=generator)
    gradients = model.embedding_gradients(inputs, classes)
    return torch.cosine_similarity(gradients[:, a], gradients[:, b]).mean().item()


def follow(
    run: Run,
    look: Callable[[CachedModel], T],
    steps: Sequence[int] | None = None,
    device: Device = None,
    progress: bool = True,
) -> dict[int, T]:
    """Any function of a model, applied to every snapshot (or those of `steps`): step -> what it
    returns.
    """
    chosen = tqdm(
        run.steps if steps is None else steps,
        desc="following",
        unit="snapshot",
        disable=not progress,
    )
    return {
        step: look(CachedModel(run.model(step, device), run.task, memory=MEMORY)) for step in chosen
    }


def headline(run: Run, device: Device = None) -> Row:
    """The claims of Nanda et al. 2023 as numbers, for one finished run: what a table over seeds has
    as a row.

    Losses in nats; restricted and full loss over all pairs, excluded over training pairs, key
    frequencies by the default rule.
    """
    model = CachedModel(run.model(device=device), run.task, memory=MEMORY).as_sums()
    _require_one_layer(model)
    logits, labels = model.logits, model.task.labels
    keys = fourier.key_frequencies(logits)
    clusters = neurons.frequency_clusters(model.activation("post", 0))
    found = milestones.phases(run.metrics)
    return {
        "p": run.task.grid[0],
        "steps": run.step,
        "key frequencies": keys,
        "number of key frequencies": len(keys),
        "neurons clustered": devices.double(clusters.clustered).mean().item(),
        "logit variance explained": algorithm.cosine_fit(logits, keys).variance_explained,
        "test accuracy": progress.accuracy(logits, labels, mask=model.task.test_mask),
        "full loss": progress.mean_loss(logits, labels),
        "restricted loss": progress.restricted_loss(logits, labels, keys, any_labels=True),
        "excluded loss": progress.excluded_loss(
            logits, labels, keys, mask=model.task.train_mask, any_labels=True
        ),
        **{f"{name} ends": end for name, (_, end) in found.items()},
    }
