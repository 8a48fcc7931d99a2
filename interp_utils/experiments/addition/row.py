"""A run on modular addition as a row of numbers: Nanda et al. 2023, ablations included."""

from __future__ import annotations

from interp_utils.analysis import fourier, progress, sinusoids
from interp_utils.devices import Device
from interp_utils.experiments.base import Row
from interp_utils.measures import ablation, trajectories
from interp_utils.models.cached import CachedModel
from interp_utils.runs.run import Run


def row(run: Run, device: Device = None) -> Row:
    """`trajectories.headline`, and for a run that generalised what ablations do. A control has no
    phases of grokking.
    """
    found = trajectories.headline(run, device)
    if not run.task.operation.holds:
        return {name: value for name, value in found.items() if not name.endswith(" ends")}
    return found | ablations(run, device) if generalised(found) else found


def generalised(row: Row) -> bool:
    return row["test accuracy"] > 0.99


def ablations(run: Run, device: Device = None) -> Row:
    """Ablated over original loss, on all pairs, and what notebook 03 reads off the weights."""
    model = CachedModel(run.model(device=device), run.task, memory=trajectories.MEMORY)
    model.fetch("resid_pre", "resid_mid", "attn_out", "mlp_out", "post", "pattern", "z")
    keys = fourier.key_frequencies(model.logits)
    post, pattern = model.activation("post"), model.activation("pattern")
    W = run.weights()
    read_out = sinusoids.read_out_directions(W["blocks.0.mlp.W_out"] @ W["unembed.W_U"], keys)
    shares = [
        share
        for i, k in enumerate(keys)
        for share in (
            sinusoids.single_cosine_shares(read_out.u[i], post, k)[0],
            sinusoids.single_cosine_shares(read_out.v[i], post, k)[1],
        )
        if 2 * k != run.task.grid[0]
    ]
    head_frequencies = ablation.head_frequencies(model)
    fits = [
        sinusoids.fit_attention(pattern[..., h, 0], k).variance_explained
        for h, k in enumerate(head_frequencies)
    ]
    losses = ablation.table(model, keys)
    before = losses["loss"]["nothing"]
    ratios = losses["ratio"].drop("nothing").to_dict()
    others = [k for k in range(1, run.task.grid[0] // 2 + 1) if k not in keys]
    without = {
        k: progress.mean_loss(ablation.without_frequency(model, k), model.task.labels) / before
        for k in (*keys, *others)
    }
    cosines, test = progress.project(model.logits, keys, variant="sum_3d"), model.task.test_mask
    on_test = [
        progress.mean_loss(logits, model.task.labels, mask=test)
        for logits in (cosines, model.logits)
    ]
    return {
        **ratios,
        "logits as cosines (test)": on_test[0] / on_test[1],
        "without a key frequency, at least": min(without[k] for k in keys),
        "without another frequency, at most": max(without[k] for k in others),
        "u and v, share of one wave, at least": min(shares),
        "residual of W_L": read_out.residual,
        "residual of W_L, squared": read_out.residual**2,
        "attention fit, at least": min(fits),
        "attention to =, at most": pattern[..., 2].mean((0, 1)).max().item(),
    }
