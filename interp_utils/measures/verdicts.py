"""What a model on pairs has learned, question by question: each with its number and its rule."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from interp_utils import devices
from interp_utils.analysis import algorithm, fourier, neurons, progress
from interp_utils.measures import ablation, trajectories
from interp_utils.measures.applies import DoesNotApply
from interp_utils.measures.milestones import KNOWN

if TYPE_CHECKING:
    from torch import Tensor

    from interp_utils.models.cached import CachedModel

NOT_MEASURED = "not measured"
NOTHING_TO_LOSE = "its loss is already above that of guessing"
ANOTHER_FORM = "a model that is known to be right has another form than its task says"
GUESSES = 0.5  # a share of right answers
MOST = 0.5  # of variance
CLOCK = 0.4  # distance irrelevance, Zhong et al. 2023
SYMMETRIC = 0.66  # halfway between their pizza's gradient symmetricity, 0.99, and clock's, 0.33
HARMLESS = 10.0  # times the loss


class Verdict(NamedTuple):
    """number: what the rule decides by; note: what a measure needed and did not get."""

    question: str
    verdict: str
    number: float
    unit: str
    rule: str
    note: str = ""


class Findings(NamedTuple):
    """The verdicts, and what they rest on. keys: None where none were found; losses: the loss after
    each ablation, in nats.
    """

    verdicts: list[Verdict]
    keys: list[int] | None
    losses: dict[str, float]


def judge(model: CachedModel, sums: CachedModel | None, why_not: str) -> Findings:
    """Judges a model. sums: the model in the coordinates whose sum is the label; None where there
    are no such coordinates, and then why_not says why.
    """
    verdicts = [*_accuracies(model)]
    right = {verdict.question: verdict.number for verdict in verdicts}
    keys, on_keys = _keys(sums, why_not)
    verdicts.append(on_keys)
    share = _share(sums, keys, on_keys.note)
    verdicts.append(share)
    mechanism = _mechanism(right, share, known=model.task.split_known)
    verdicts.append(mechanism)
    verdicts += _progress(sums, keys, on_keys.note)
    verdicts += _algorithm(sums, mechanism)
    verdicts += _neurons(sums, why_not)
    losses, broken = _ablations(model)
    return Findings([*verdicts, *broken], keys, losses)


def _accuracies(model: CachedModel) -> Iterator[Verdict]:
    rule = f"yes: over {KNOWN:.0%} right; no: under {GUESSES:.0%}; else partly"
    questions = {"train": "does it know its training pairs?", "test": "does it generalise?"}
    splits = model.task.splits
    for split, question in questions.items():
        if split not in splits:
            note = f"which pairs were for {split} is not known, or none were"
            yield Verdict(question, NOT_MEASURED, math.nan, "share right", rule, note)
            continue
        yield _known(question, model, splits[split], rule)
    of_all = _known("does it know all pairs?", model, splits["all"], rule)
    yield of_all._replace(note=ANOTHER_FORM) if of_all.verdict == "no" else of_all


def _known(question: str, model: CachedModel, mask: Tensor, rule: str) -> Verdict:
    share = progress.accuracy(model.logits, model.task.labels, mask=mask)
    return Verdict(question, _degree(share), share, "share right", rule)


def _degree(share: float) -> str:
    if share > KNOWN:
        return "yes"
    return "no" if share < GUESSES else "partly"


def _keys(sums: CachedModel | None, why_not: str) -> tuple[list[int] | None, Verdict]:
    question = "which frequencies are key?"
    rule = "norm on cos, sin w(a + b) over a tenth of the largest frequency's"
    if sums is None:
        return None, Verdict(question, NOT_MEASURED, math.nan, "frequencies", rule, why_not)
    try:
        keys = fourier.key_frequencies(sums.logits)
    except ValueError as error:
        return None, Verdict(question, "none", 0, "frequencies", rule, str(error))
    return keys, Verdict(question, ", ".join(map(str, keys)), len(keys), "frequencies", rule)


def _share(sums: CachedModel | None, keys: list[int] | None, note: str) -> Verdict:
    question = "are its logits cosines of the keys?"
    rule = f"yes: cos w(a + b - c) of the keys explain over {MOST:.0%} of the logits' variance"
    if keys is None:
        return Verdict(question, NOT_MEASURED, math.nan, "share of variance", rule, note)
    share = algorithm.cosine_fit(sums.logits, keys).variance_explained
    return Verdict(question, "yes" if share > MOST else "no", share, "share of variance", rule)


def _mechanism(right: dict[str, float], share: Verdict, known: bool) -> Verdict:
    """From accuracies and the cosines' share: a memoriser is right on training pairs alone."""
    train, test, all_pairs = right.values()
    question = "circuit or memoriser?"
    rule = (
        f"circuit: knows the test pairs, or all where these are not known, and cosines explain "
        f"over {MOST:.0%}; memoriser: knows its training pairs, and under {GUESSES:.0%} of the test"
    )
    generalises = (all_pairs if math.isnan(test) else test) > KNOWN
    if generalises and share.verdict == "yes":
        word = "circuit"
    elif generalises:
        word = "another way"
    elif train > KNOWN and test < GUESSES:
        word = "memoriser"
    else:
        word = "neither yet"
    note = "" if known else "a memoriser is told from an untrained model only by its training pairs"
    return Verdict(question, word, share.number, "share of variance", rule, note or share.note)


def _progress(sums: CachedModel | None, keys: list[int] | None, note: str) -> Iterator[Verdict]:
    on = "are the keys enough?"
    on_rule = f"yes: restricted loss at most {HARMLESS:.0f} times the loss, all pairs"
    off = "are the keys needed?"
    off_rule = "yes: excluded loss on the training pairs above that of guessing, ln of the classes"
    if keys is None:
        yield Verdict(on, NOT_MEASURED, math.nan, "nats", on_rule, note)
        yield Verdict(off, NOT_MEASURED, math.nan, "nats", off_rule, note)
        return
    logits, labels, guess = sums.logits, sums.task.labels, math.log(sums.logits.shape[-1])
    before = progress.mean_loss(logits, labels)
    if before > guess:
        yield Verdict(on, NOT_MEASURED, math.nan, "nats", on_rule, NOTHING_TO_LOSE)
        yield Verdict(off, NOT_MEASURED, math.nan, "nats", off_rule, NOTHING_TO_LOSE)
        return
    restricted = progress.mean_loss(progress.restrict(logits, keys), labels)
    enough = restricted <= HARMLESS * before
    yield Verdict(on, "yes" if enough else "no", restricted, "nats", on_rule)
    mask = sums.task.splits.get("train")
    excluded = progress.mean_loss(progress.remove(logits, keys), labels, mask=mask)
    word = "" if mask is not None else "on all pairs: the training pairs are not known"
    yield Verdict(off, "yes" if excluded > guess else "no", excluded, "nats", off_rule, word)


def _algorithm(sums: CachedModel | None, mechanism: Verdict) -> Iterator[Verdict]:
    by_logits = (
        "clock or pizza, by the logits?",
        "distance irrelevance",
        f"clock: at least {CLOCK} (Zhong et al. 2023)",
    )
    by_gradients = (
        "clock or pizza, by the gradients?",
        "gradient symmetricity",
        f"clock: below {SYMMETRIC}, between the published pizza's 0.99 and clock's 0.33",
    )
    if sums is None or mechanism.verdict != "circuit":
        note = "asked only of a circuit: see above"
        for question, unit, rule in (by_logits, by_gradients):
            yield Verdict(question, NOT_MEASURED, math.nan, unit, rule, note)
        return
    irrelevance = algorithm.distance_irrelevance(sums.logits)
    yield _which(*by_logits, irrelevance, irrelevance >= CLOCK)
    try:
        symmetricity = trajectories.gradient_symmetricity(sums)
    except DoesNotApply as error:
        question, unit, rule = by_gradients
        yield Verdict(question, NOT_MEASURED, math.nan, unit, rule, str(error))
        return
    yield _which(*by_gradients, symmetricity, symmetricity < SYMMETRIC)


def _which(question: str, unit: str, rule: str, value: float, clock: bool) -> Verdict:
    return Verdict(question, "clock" if clock else "pizza", value, unit, rule)


def _neurons(sums: CachedModel | None, why_not: str) -> Iterator[Verdict]:
    share = f"{neurons.THRESHOLD:.0%} of their variance"
    rule = f"yes: over {MOST:.0%} have {share} in one frequency"
    if sums is None:
        question = "has each neuron one frequency?"
        yield Verdict(question, NOT_MEASURED, math.nan, "share of neurons", rule, why_not)
        return
    cfg = sums.model.cfg
    if cfg.attn_only or not cfg.d_mlp:
        question = "has each neuron one frequency?"
        note = "the model has no MLP"
        yield Verdict(question, NOT_MEASURED, math.nan, "share of neurons", rule, note)
        return
    for layer in range(cfg.n_layers):
        where = f", layer {layer}" if cfg.n_layers > 1 else ""
        clusters = neurons.frequency_clusters(sums.activation("post", layer))
        share = devices.double(clusters.clustered).mean().item()
        question = f"has each neuron one frequency{where}?"
        word = "yes" if share > MOST else "no"
        yield Verdict(question, word, share, "share of neurons", rule)


PARTS: dict[str, tuple[str, Callable[..., Tensor]]] = {
    "without attention to its own position": ("", ablation.without_attention_to),
    "without attention heads": ("", ablation.without_heads),
    "without attention's skip": ("", partial(ablation.without_attention_skip, how="mean")),
    "without the MLP's skip": ("mlp", partial(ablation.without_mlp_skip, how="mean")),
    "without products in neurons": ("mlp", ablation.with_additive_neurons),
}


def _ablations(model: CachedModel) -> tuple[dict[str, float], list[Verdict]]:
    """The loss over all pairs after each ablation of each layer, and what breaks the model."""
    rule = (
        f"breaks: loss above that of guessing; harmless: at most {HARMLESS:.0f} times; else hurts"
    )
    labels, guess = model.task.labels, math.log(model.logits.shape[-1])
    before = progress.mean_loss(model.logits, labels)
    losses, verdicts = {"nothing removed": before}, []
    layers = range(model.model.cfg.n_layers)
    for (name, (needs, remove)), layer in itertools.product(PARTS.items(), layers):
        part = name if len(layers) == 1 else f"{name}, layer {layer}"
        note = _cannot_ablate(model, needs, before, guess)
        try:
            logits = None if note else remove(model, layer=layer)
        except DoesNotApply as error:
            logits, note = None, str(error)
        if logits is None:
            verdicts.append(Verdict(part, NOT_MEASURED, math.nan, "nats", rule, note))
            continue
        after = losses[part] = progress.mean_loss(logits, labels)
        word = "hurts"
        if after > guess:
            word = "breaks it"
        elif after <= HARMLESS * before:
            word = "harmless"
        verdicts.append(Verdict(part, word, after, "nats", rule))
    return losses, verdicts


def _cannot_ablate(model: CachedModel, needs: str, before: float, guess: float) -> str:
    cfg = model.model.cfg
    if needs == "mlp" and (cfg.attn_only or not cfg.d_mlp):
        return "the model has no MLP"
    if before > guess:
        return NOTHING_TO_LOSE
    return ""
