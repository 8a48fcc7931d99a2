"""The measures of one model, one function for each. A function that is added to MEASURES appears in
the table of every run, under the names of its rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor

from interp_utils import devices, models
from interp_utils.analysis import algorithm, answers, fourier, progress, sparsity
from interp_utils.measures import applies
from interp_utils.measures.applies import DoesNotApply
from interp_utils.measures.subject import Subject
from interp_utils.models.cached import CachedModel
from interp_utils.precision import wide
from interp_utils.tasks import Sequences

Row = dict[str, Any]


def losses(subject: Subject) -> Iterator[Row]:
    """Loss and accuracy on each split: of each answer, where there are several, and of whole
    sequences and their answers, where inputs are sequences.
    """
    model, task = subject.model, subject.model.task
    if isinstance(task, Sequences):
        found = answers.sequence_accuracy(model.logits, task.labels)
        asked = task.asked.to(model.device)
        loss = answers.mean_loss(model.logits[asked], task.labels[asked])
        for name, value in (
            *(("loss", loss), ("accuracy", found.whole)),
            ("token_accuracy", found.token),
        ):
            yield {"measure": name, "split": "test", "value": value}
        return
    yield from _by_split(model, model.logits, measure="")


def progress_on_logits(subject: Subject) -> Iterator[Row]:
    """Restricted and excluded loss and accuracy of the logits, in every variant."""
    model, keys, logits = subject.sums, subject.keys, wide(subject.sums.logits)
    for variant in ("sum", "block2x2", "block3x3", "sum_3d"):
        on = progress.project(logits, keys, variant=variant)
        about = {"level": "logits", "variant": variant}
        yield from _by_split(model, logits - on, measure="excluded_", **about)
        if variant != "sum_3d":
            restricted = logits.mean((0, 1)) + on
            yield from _by_split(model, restricted, measure="restricted_", **about)


def excluded_on_neurons(subject: Subject) -> Iterator[Row]:
    """Excluded loss and accuracy at the neurons: what skips the MLP stays as it is.

    Where logits are linear in the neurons, the neurons' part on the keys is subtracted from the
    logits; otherwise (with LayerNorm, say) the model is run with the neurons replaced.
    """
    model, on = subject.sums, subject.neurons_on_keys
    about = {"measure": "excluded_", "level": "neurons", "variant": "sum"}
    if _reads_linearly(model):
        yield from _by_split(model, model.logits - subject.logits_of_neurons_on_keys, **about)
        return
    name = model.hook_name("post", applies.the_layer(model))
    rest = subject.neurons("post") - on
    yield from _by_split(model, model.with_values({name: rest}).logits, **about)


def restricted_on_neurons(subject: Subject) -> Iterator[Row]:
    """Restricted loss and accuracy at the neurons: the MLP's linear path alone, with the logits'
    mean. The measure means nothing where there is no such path.
    """
    model, on = subject.sums, subject.logits_of_neurons_on_keys
    logits = wide(model.logits).mean((0, 1)) + on
    about = {"measure": "restricted_", "level": "neurons", "variant": "sum"}
    yield from _by_split(model, logits, **about)


def single_excluded(subject: Subject) -> Iterator[Row]:
    """Excluded loss of each frequency alone, on the training pairs; for frequency 0 nothing is
    removed. The maximum needs no key frequencies.
    """
    model, task = subject.sums, subject.sums.task
    if "train" not in task.splits:
        raise DoesNotApply(f"which inputs of {task.name} were for training is unknown")
    for variant in ("sum", "sum_3d"):
        found = progress.single_excluded_losses(
            model.logits, task.labels, mask=task.train_mask, variant=variant, any_labels=True
        )
        about = {"level": "logits", "variant": variant, "split": "train"}
        for k, value in enumerate(found.tolist()):
            yield {"measure": "single_excluded_loss", **about, "frequency": k, "value": value}


def share_on_keys(subject: Subject) -> Iterator[Row]:
    """The share of the logits' squares that is on the keys."""
    value = progress.share_on(subject.sums.logits, subject.keys)
    yield _of_logits("share_on_keys", value, variant="sum")


def share_of_neurons_on_keys(subject: Subject) -> Iterator[Row]:
    """The share of the neurons' squares that is on the keys, before and after the activation
    function.
    """
    for level in ("pre", "post"):
        value = progress.share_on(subject.neurons(level), subject.keys)
        yield {**_of_logits("share_on_keys", value, variant="sum"), "level": level}


def sum_squared_weights(subject: Subject) -> Iterator[Row]:
    for name, weight in models.named_weights(subject.model.model).items():
        value = wide(weight).square().sum().item()
        yield {"measure": "sum_squared_weights", "level": name, "value": value}


def sparsity_of_weights(subject: Subject) -> Iterator[Row]:
    """How few frequencies W_E and W_L have: Gini, IPR, and for odd p Fourier density."""
    for name, weight in subject.weights.items():
        of_variant = {
            "components": fourier.transform(weight)[1:].norm(dim=1),
            "frequencies": fourier.power(weight)[1:].sum(1).sqrt(),
        }
        for variant, values in of_variant.items():
            value = sparsity.gini(values)
            yield {"measure": "gini", "level": name, "variant": variant, "value": value}
        centred = wide(weight) - wide(weight).mean(0)
        ipr = sparsity.inverse_participation_ratio(centred.T).mean().item()
        yield {"measure": "inverse_participation_ratio", "level": name, "value": ipr}
        if len(weight) % 2:
            density = sparsity.fourier_density(weight)
            yield {"measure": "ffd", "level": name, "value": density.ffd}
            yield {"measure": "fcr", "level": name, "value": density.fcr}


def cosine_fit(subject: Subject) -> Iterator[Row]:
    """Coefficients of cos w_k(a + b - c) in the logits, and what those of the keys explain."""
    fit = algorithm.cosine_fit(subject.sums.logits, subject.keys)
    for k, value in enumerate(fit.coefficients.tolist()):
        yield {**_of_logits("cosine_coefficient", value), "frequency": k}
    yield _of_logits("variance_explained", fit.variance_explained, variant="sum_3d")


def distance_irrelevance(subject: Subject) -> Iterator[Row]:
    value = algorithm.distance_irrelevance(subject.sums.logits)
    yield _of_logits("distance_irrelevance", value)


def symmetricity(subject: Subject) -> Iterator[Row]:
    value = gradient_symmetricity(subject.sums)
    yield {"measure": "gradient_symmetricity", "level": "W_E", "value": value}


MEASURES: dict[str, Callable[[Subject], Iterator[Row]]] = {
    "losses": losses,
    "progress on logits": progress_on_logits,
    "excluded on neurons": excluded_on_neurons,
    "restricted on neurons": restricted_on_neurons,
    "single excluded losses": single_excluded,
    "share on keys": share_on_keys,
    "share of neurons on keys": share_of_neurons_on_keys,
    "sum of squared weights": sum_squared_weights,
    "sparsity of weights": sparsity_of_weights,
    "cosine fit": cosine_fit,
    "distance irrelevance": distance_irrelevance,
    "gradient symmetricity": symmetricity,
}


@torch.enable_grad()
def gradient_symmetricity(model: CachedModel, n: int = 100, seed: int = 0) -> float:
    """Mean cosine between the gradients of a logit with respect to the embeddings of a and of b,
    over n random (a, b, c); a pizza has 1, a clock has less.

    Measured in the coordinates whose sum is the label. Raises DoesNotApply for a model that does
    not embed its operands in vectors. Zhong et al. 2023, definition 4.1.
    """
    model = model.as_sums()
    applies.require_embeddings(model)
    a, b = (operand.position for operand in model.task.operands)
    generator = torch.Generator().manual_seed(seed)
    inputs = torch.randint(len(model.task), (n,), generator=generator)
    classes = torch.randint(model.task.n_classes[0], (n,), generator=generator)
    gradients = wide(model.embedding_gradients(inputs, classes))
    return torch.cosine_similarity(gradients[:, a], gradients[:, b]).mean().item()


def _reads_linearly(model: CachedModel) -> bool:
    """Whether adding x to the neurons adds x W_L to the logits."""
    try:
        applies.W_L(model)
    except DoesNotApply:
        return False
    return True


def _of_logits(measure: str, value: float, **about: Any) -> Row:
    return {"measure": measure, "level": "logits", **about, "split": "all", "value": value}


def _by_split(model: CachedModel, logits: Tensor, measure: str, **about: str) -> Iterator[Row]:
    """Loss and accuracy on each split. Where there are several answers, level names the answer:
    "answer 7" has 7 classes.
    """
    task, several = model.task, model.task.labels.ndim > 1
    n_classes = task.n_classes if several else None
    levels = [{"level": f"answer {q}"} for q in task.answer_names] if several else [{}]
    of_input = {
        "loss": answers.losses(logits, task.labels, n_classes),
        "accuracy": answers.predictions(logits.flatten(0, -2), n_classes) == task.labels,
    }
    for split, mask in task.splits.items():
        for name, found in of_input.items():
            values = devices.double(found[mask]).mean(0)
            for level, value in zip(levels, values.flatten().tolist(), strict=True):
                about_row = {"split": split, **about, **level}
                yield {"measure": f"{measure}{name}", **about_row, "value": value}
