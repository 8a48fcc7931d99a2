"""What Nanda et al. 2023 say of modular addition, and the rules that decide it."""

from __future__ import annotations

import math

from interp_utils.experiments.addition.recipes import P
from interp_utils.experiments.addition.row import generalised
from interp_utils.experiments.base import Claim, Row, Rows

CLAIMS = [
    Claim(
        "generalises",
        "§3",
        "all seeds",
        "test accuracy",
        generalised,
        "test accuracy above 99 %",
        "04 · Other seeds, and other moduli",
        about=lambda row: True,
    ),
    Claim(
        "few key frequencies",
        "§4.1, App. C.2.1",
        "5 (3 to 6 over seeds)",
        "number of key frequencies",
        lambda r: 3 <= r["number of key frequencies"] <= 6,
        "3 to 6",
        "02 · Which frequencies?",
    ),
    Claim(
        "neurons have one frequency",
        "§4.2",
        "84.6 %",
        "neurons clustered",
        lambda r: r["neurons clustered"] > 0.5,
        "more than half",
        "03 · All neurons",
    ),
    Claim(
        "logits are sums of cos w(a+b-c)",
        "§4.3",
        "95 %",
        "logit variance explained",
        lambda r: r["logit variance explained"] >= 0.95,
        "at least 95 %",
        "03 · The logits",
    ),
    Claim(
        "u, v pick one wave each",
        "Table 1",
        "93.2 to 98.2 %",
        "u and v, share of one wave, at least",
        lambda r: r["u and v, share of one wave, at least"] > 0.9,
        "above 90 %",
        "03 · From neurons to logits",
    ),
    Claim(
        "W_L has rank two per key",
        "§4.3",
        "residual below 0.55 %",
        "residual of W_L",
        lambda r: r["residual of W_L"] < 0.0055,
        "below 0.55 %",
        "03 · From neurons to logits",
    ),
    Claim(
        "the same, as a share of power",
        "§4.3",
        "(residual squared)",
        "residual of W_L, squared",
        lambda r: r["residual of W_L, squared"] < 0.0055,
        "below 0.55 %",
        "03 · From neurons to logits",
    ),
    Claim(
        "attention is a sine wave",
        "Table 2",
        "97.9 to 99.1 %",
        "attention fit, at least",
        lambda r: r["attention fit, at least"] > 0.979,
        "above 97.9 %, worst head",
        "03 · Attention is a sine wave",
    ),
    Claim(
        "no attention to =",
        "App. C",
        "0.1 to 0.4 %",
        "attention to =, at most",
        lambda r: r["attention to =, at most"] < 0.01,
        "below 1 %, any head",
        "03 · Attention is a sine wave",
    ),
    Claim(
        "restricted loss below full loss",
        "§5.1",
        "below",
        "restricted loss",
        lambda r: r["restricted loss"] < r["full loss"],
        "below, final model",
        "04 · Other seeds, and other moduli",
    ),
    Claim(
        "excluded loss above chance",
        "§5.1",
        "above ln p",
        "excluded loss",
        lambda r: r["excluded loss"] > math.log(r["p"]),
        "above ln p, train",
        "04 · Other seeds, and other moduli",
    ),
    Claim(
        "memorised by step 1,400",
        "§5.2",
        "1400",
        "memorisation ends",
        lambda r: r["memorisation ends"] <= 1500,
        "by 1,500",
        "04 · The phases, by a rule on these curves",
    ),
    Claim(
        "circuit formation takes longer than memorisation",
        "§5.2",
        "1400 to 9400",
        "circuit formation ends",
        lambda r: r["circuit formation ends"] > 2 * r["memorisation ends"],
        "ends at over twice the step",
        "04 · The phases, by a rule on these curves",
    ),
    Claim(
        "cleanup ends: grokked",
        "§5.2",
        "14000",
        "cleanup ends",
        lambda r: r.get("cleanup ends", math.inf) <= 17000,
        "by 17,000",
        "04 · The phases, by a rule on these curves",
    ),
    Claim(
        "without attention to =: no effect",
        "App. C",
        "1",
        "no attention to =",
        lambda r: r["no attention to ="] <= 10,
        "at most tenfold",
        "05 · Attention",
    ),
    Claim(
        "without heads: destroyed",
        "App. C",
        "1e8",
        "heads zero",
        lambda r: r["heads zero"] > 1000,
        "over 1000 times",
        "05 · Attention",
    ),
    Claim(
        "without the MLP's skip: harmless",
        "App. C",
        "3.8",
        "MLP skip zero",
        lambda r: r["MLP skip zero"] <= 10,
        "at most tenfold",
        "05 · Skip connections",
    ),
    Claim(
        "without attention's skip: destroyed",
        "App. C",
        "8e7",
        "attention skip zero",
        lambda r: r["attention skip zero"] > 1000,
        "over 1000 times",
        "05 · Skip connections",
    ),
    Claim(
        "attention as its linear fit: better",
        "App. C",
        "0.88",
        "attention linear",
        lambda r: r["attention linear"] < 1,
        "less",
        "05 · Attention",
    ),
    Claim(
        "neurons as polynomials: harmless",
        "§4.4",
        "1.03",
        "neurons polynomial",
        lambda r: r["neurons polynomial"] <= 10,
        "at most tenfold",
        "05 · Neurons",
    ),
    Claim(
        "neurons as cos, sin w(a+b): better",
        "§4.4",
        "0.23",
        "neurons sums",
        lambda r: r["neurons sums"] < 1,
        "less",
        "05 · Neurons",
    ),
    Claim(
        "neurons on the key directions: better",
        "§4.4",
        "0.5",
        "neurons on directions",
        lambda r: r["neurons on directions"] < 1,
        "less",
        "05 · Neurons",
    ),
    Claim(
        "neurons off the key directions: destroyed",
        "§4.4",
        "2e7",
        "neurons off directions",
        lambda r: r["neurons off directions"] > 1000,
        "over 1000 times",
        "05 · Neurons",
    ),
    Claim(
        "logits as fitted cosines: better (test)",
        "§4.4",
        "0.2",
        "logits as cosines (test)",
        lambda r: r["logits as cosines (test)"] < 1,
        "less",
        "05 · Logits",
    ),
    Claim(
        "logits on 40 key components: better",
        "§4.4",
        "0.3",
        "logits on key components",
        lambda r: r["logits on key components"] < 1,
        "less",
        "05 · Logits",
    ),
    Claim(
        "without one key frequency: much worse",
        "Fig. 6",
        "large increase",
        "without a key frequency, at least",
        lambda r: r["without a key frequency, at least"] > 100,
        "over 100 times, each",
        "05 · Logits",
    ),
    Claim(
        "without any other frequency: negligible",
        "Fig. 6",
        "negligible",
        "without another frequency, at most",
        lambda r: r["without another frequency, at most"] < 2,
        "at most doubled, each",
        "05 · Logits",
    ),
]


def intro(rows: Rows) -> list[str]:
    main = [row for row in rows.values() if not other_p(row)]
    return [
        "Progress measures for grokking via mechanistic interpretability (Nanda et al. 2023), on",
        f"{len(main)} runs at p = {P}: the main one of 25,000 steps and further seeds of 15,000 "
        "or 20,000, each with its own initial",
        "weights and training pairs; learning rate, weight decay, betas and share of training "
        "pairs are the paper's, the",
        "initial scale and the frozen biases the Grokking demo's. Beside them other p, at half of "
        "the pairs.",
        f"All claims but the first are about runs that generalised ({sum(map(generalised, main))} "
        f"of {len(main)}).",
        "Ablations are given as the loss after over the loss before.",
    ]


def other_p(row: Row) -> str | None:
    return f"p = {row['p']}" if row["p"] != P else None


def table(rows: Rows) -> list[str]:
    lines = [
        "| run | p | steps | key frequencies | neurons clustered | cleanup ends | test accuracy | "
        "full loss |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, run in rows.items():
        keys = ", ".join(map(str, run["key frequencies"]))
        ends = run.get("cleanup ends", "not within the run")
        lines.append(
            f"| {name} | {run['p']} | {run['steps']} | {keys} | {run['neurons clustered']:.1%} | "
            f"{ends} "
            f"| {run['test accuracy']:.2%} | {run['full loss']:.3g} |"
        )
    return lines
