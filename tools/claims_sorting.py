"""Patel et al. (section 3.4) on the sorting runs: what is measured, and the claims."""

from __future__ import annotations

import torch

from interp_utils import (
    CachedModel,
    Run,
    ablation,
    answers,
    attention,
    circuits,
    milestones,
    presets,
)
from tools.claims import CHECKPOINTS, Claim, Row, Rows, Suite
from tools.train_runs import SORTING_SEEDS, named

NEVER = 20_001  # the step after the last


def measure() -> Rows:
    """Seed -> "variant: measure" -> number."""
    rows: Rows = {f"seed {seed}": {} for seed in range(max(SORTING_SEEDS.values()))}
    for variant in presets.SORTING:
        for seed in range(SORTING_SEEDS[variant]):
            numbers = _describe(Run.load(CHECKPOINTS / named("sorting", variant, seed)))
            rows[f"seed {seed}"] |= {f"{variant}: {name}": value for name, value in numbers.items()}
    for row in rows.values():
        row |= _compare(
            {**rows["seed 0"], **row}
        )  # a variant with one seed is compared with each seed of the other
    return rows


@torch.no_grad()
def _describe(run: Run) -> Row:
    lists, numbers = run.task.test, range(run.task.params["n_values"])
    model = CachedModel(run.model(), lists)
    whole, token = answers.sequence_accuracy(model.logits, lists.labels)
    W = run.weights()
    OV = circuits.ov_circuit(
        *(
            W[name]
            for name in ("embed.W_E", "blocks.0.attn.W_V", "blocks.0.attn.W_O", "unembed.W_U")
        ),
        tokens=numbers,
        sum_heads=True,
    )
    validation = (
        run.metrics.set_index("step")["validation_accuracy"]
        .rolling(9, center=True, min_periods=1)
        .median()
    )  # one row may dip
    pattern = model.activation("pattern", 0)
    received = attention.by_token(pattern, lists.tokens, lists.asked, lists.d_vocab).mean(1)
    row = {
        "whole lists": whole,
        "tokens": token,
        "copying score": circuits.eigenvalue_score(OV),
        "top-1 copy rate": circuits.copy_rate(OV),
        "diagonal z-score": circuits.diagonal_z_score(OV),
        "attention to equal tokens": received.gather(1, lists.tokens[lists.asked][:, None])
        .mean()
        .item(),
        "90 % of lists from step": milestones.first_sustained(validation > 0.9) or NEVER,
    }
    length = run.task.params["length"]
    if isinstance(length, int):
        by_place = pattern[:, :, length + 1 : 2 * length + 1, 1 : length + 1].mean((0, 1, 2))
        fifth = length // 5
        equal = (
            received.gather(1, lists.tokens[lists.asked][:, None]).view(len(lists), length).mean(0)
        )
        row["attention to equal tokens, last fifth over first"] = (
            equal[-fifth:].mean() / equal[1 : fifth + 1].mean()
        ).item()
        row["attention, nearest fifth over farthest"] = (
            by_place[-fifth:].mean() / by_place[:fifth].mean()
        ).item()
        row["attention after MID"] = (
            pattern[:, :, length + 1 : 2 * length + 1, length + 2 :].sum(-1).mean().item()
        )
    else:
        right = ((model.logits.argmax(-1) == lists.labels) | ~lists.asked).all(1)
        row["lists of over 75 items"] = right[lists.asked.sum(1) > 75].double().mean().item()
    if run.config.model.n_heads == 1:
        row["answer attended most"] = attention.attends_to_answer(
            pattern, lists.tokens, lists.labels, lists.d_vocab
        ).item()
    if run.config.model.d_mlp is not None:
        row |= _neurons(model)
    return row


def _neurons(model: CachedModel) -> Row:
    written = model.activation("post", 0).square().mean((0, 1)).sqrt() * model.model.W_out[0].norm(
        dim=1
    )
    weakest, row = written.argsort(), {}
    for name, share in (("a quarter", 4), ("half", 2)):
        logits = ablation.without_neurons(model, weakest[: len(written) // share], how="mean")
        row[f"whole lists, {name} of the neurons fixed"] = answers.sequence_accuracy(
            logits, model.task.labels
        ).whole
    return row


def _compare(row: Row) -> Row:
    pairs = {
        "score, with an MLP minus without": ("MLP: copying score", "one head: copying score"),
        "score, two heads minus one": ("two heads: copying score", "one head: copying score"),
        "90 % of lists, step with positions minus without": (
            "positions: 90 % of lists from step",
            "one head: 90 % of lists from step",
        ),
        "tokens, variable minus fixed length": ("variable length: tokens", "one head: tokens"),
        "attention to equal tokens, with repeats minus without": (
            "repeats, positions: attention to equal tokens",
            "positions: attention to equal tokens",
        ),
    }
    return {
        name: row[one] - row[other]
        for name, (one, other) in pairs.items()
        if one in row and other in row
    }


def _claim(
    text: str, published: str, measure: str, holds, rule: str, section: str, source: str = "§3.4"
) -> Claim:
    return Claim(
        text, source, published, measure, lambda row: holds(row[measure]), rule, f"06 · {section}"
    )


SORTS, CHANGES, LENGTH = "Does it sort?", "What changes with the model", "Variable length"
MID = "Does attention fall with the distance from MID?"
CLAIMS = [
    _claim(
        "one head sorts lists of fixed length",
        "near-perfect",
        "one head: whole lists",
        lambda x: x >= 0.99,
        "99 % of lists",
        SORTS,
    ),
    _claim(
        "the same, two heads",
        "(one suffices)",
        "two heads: whole lists",
        lambda x: x >= 0.99,
        "99 % of lists",
        CHANGES,
    ),
    _claim(
        "sorts lists of up to 100 items",
        "near-perfect",
        "variable length: lists of over 75 items",
        lambda x: x >= 0.99,
        "99 % of lists of over 75",
        LENGTH,
    ),
    _claim(
        "the same, of any length",
        "near-perfect",
        "variable length: whole lists",
        lambda x: x >= 0.99,
        "99 % of lists",
        LENGTH,
    ),
    _claim(
        "attends to the smallest element above",
        "always",
        "one head: answer attended most",
        lambda x: x > 0.8,
        "at over 80 % of answers",
        "Attention of one list",
        "Baginski and Kolly",
    ),
    _claim(
        "the OV circuit's diagonal stands out",
        "considerably higher",
        "one head: top-1 copy rate",
        lambda x: x > 0.8,
        "largest of its row for over 80 %",
        "The OV circuit",
    ),
    _claim(
        "copying score",
        "0.6 to 0.9",
        "one head: copying score",
        lambda x: 0.6 <= x <= 0.95,
        "0.6 to 0.95",
        "Eigenvalues, and the score",
    ),
    _claim(
        "an MLP copies less",
        "significantly",
        "score, with an MLP minus without",
        lambda x: x < -0.1,
        "score lower by over 0.1",
        CHANGES,
    ),
    _claim(
        "many of its neurons are redundant",
        "many",
        "MLP: whole lists, a quarter of the neurons fixed",
        lambda x: x > 0.95,
        "over 95 % of lists without the weakest quarter",
        CHANGES,
    ),
    _claim(
        "the same, half of them",
        "many",
        "MLP: whole lists, half of the neurons fixed",
        lambda x: x > 0.95,
        "over 95 % of lists without the weaker half",
        CHANGES,
    ),
    _claim(
        "two heads halve the score",
        "-0.5",
        "score, two heads minus one",
        lambda x: x < -0.3,
        "lower by over 0.3",
        CHANGES,
        "a note in the notebooks",
    ),
    _claim(
        "positions speed it up",
        "faster",
        "90 % of lists, step with positions minus without",
        lambda x: x < 0,
        f"90 % of lists earlier ({NEVER:,} if never)",
        CHANGES,
    ),
    _claim(
        "positions are not essential, with repeats",
        "not essential",
        "repeats: whole lists",
        lambda x: x >= 0.99,
        "99 % of lists without them",
        CHANGES,
    ),
    _claim(
        "with repeats equal tokens are attended to",
        "some attention",
        "attention to equal tokens, with repeats minus without",
        lambda x: x > 0.02,
        "over 2 % more",
        CHANGES,
    ),
    _claim(
        "the later in the list, the less",
        "smaller at the end",
        "repeats, positions: attention to equal tokens, last fifth over first",
        lambda x: x < 0.9,
        "ratio below 0.9",
        CHANGES,
    ),
    _claim(
        "attention is to tokens after MID",
        "marked tendency",
        "one head: attention after MID",
        lambda x: x > 0.5,
        "over half",
        MID,
    ),
    _claim(
        "attention falls with distance before MID",
        "in proportion",
        "one head: attention, nearest fifth over farthest",
        lambda x: x > 1.2,
        "ratio above 1.2",
        MID,
    ),
    _claim(
        "the same with positions",
        "in proportion",
        "positions: attention, nearest fifth over farthest",
        lambda x: x > 1.2,
        "ratio above 1.2",
        MID,
    ),
    _claim(
        "variable length is learned better (other sizes)",
        "better",
        "tokens, variable minus fixed length",
        lambda x: x > 0,
        "more tokens right",
        LENGTH,
    ),
]


def _intro(rows: Rows) -> list[str]:
    return [
        "Patel et al., section 3.4, on transformers of one layer that sort 25 of 48 numbers (or "
        "as named): 20,000 steps of fresh lists,",
        "Adam at 1e-3 without weight decay; accuracies on 1,000 test lists. One head, two heads "
        "and positions have three seeds, MLP two,",
        "the other variants one; where a variant lacks a seed, its first stands in. Scores are of "
        "the numbers' tokens, heads summed.",
    ]


def _table(rows: Rows) -> list[str]:
    lines = [
        "| run | whole lists | tokens | copying score | top-1 copy rate | 90 % of lists from step "
        "|",
        "|---|---|---|---|---|---|",
    ]
    for seed, row in rows.items():
        for variant in presets.SORTING:
            if f"{variant}: tokens" in row:
                reached = row[f"{variant}: 90 % of lists from step"]
                when = "never" if reached == NEVER else reached
                lines.append(
                    f"| {variant}, {seed} | {row[f'{variant}: whole lists']:.1%} | "
                    f"{row[f'{variant}: tokens']:.2%} "
                    f"| {row[f'{variant}: copying score']:.2f} | "
                    f"{row[f'{variant}: top-1 copy rate']:.0%} | {when} |"
                )
    return lines


SUITE = Suite("Sorting", _intro, measure, CLAIMS, _table)
