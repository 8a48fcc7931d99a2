"""The README's figures, from the shipped run: docs/figures/*.png. Needs Chrome or Chromium, and the
extra `figures`.
"""

from __future__ import annotations

from pathlib import Path

import plotly.graph_objects as go

from interp_utils import (
    CachedModel,
    Run,
    answers,
    fourier,
    milestones,
    multitask,
    periods,
    plots,
)

ROOT = Path(__file__).parents[1]


def main() -> None:
    run = Run.load(ROOT / "checkpoints" / "modular_addition")
    model = CachedModel(run.model(), run.task)
    W_E = run.weights()["embed.W_E"][: run.task.grid[0]]
    keys = fourier.key_frequencies(model.logits)
    planes = {f"frequency {k}": fourier.frequency_plane(W_E, k) for k in keys}
    order = {
        f"frequency {k}": sorted(range(len(W_E)), key=lambda n, k=k: k * n % len(W_E)) for k in keys
    }
    figures = {
        "own_neurons": own_neurons(),
        "circles": plots.token_scatters(
            planes,
            title="Each key frequency is a circle of tokens",
            axis_title="direction",
            order=order,
        ),
        "grokking": plots.loss_curves(
            run.metrics,
            title="Grokking (a + b) mod 113",
            phases=milestones.phases(run.metrics),
        ),
    }
    for name, figure in figures.items():
        figure.write_image(ROOT / "docs" / "figures" / f"{name}.png", scale=1.5)


def own_neurons() -> go.Figure:
    """Notebook 10's figure: which answers break without the neurons of a period."""
    model = CachedModel(Run.load(ROOT / "checkpoints" / "remainders_p53_all_seed0"))
    task, moduli = model.task, model.task.moduli
    waves = periods.best_waves(model.activation("post", 0), task.places, list(moduli))
    clusters = multitask.clusters(waves, moduli)
    before = answers.accuracies(model.logits, task.labels, list(moduli), mask=task.test_mask)
    figure = plots.heatmap(
        before - multitask.ablate(model, clusters.values()),
        title="Each remainder has neurons of its own",
        x_title="answer: n mod q",
        y_title="removed: the neurons of period q",
        color_title="accuracy lost",
        x=[str(q) for q in moduli],
        y=[str(q) for q in clusters],
        diverging=False,
    )
    return figure.update_traces(zmin=0, zmax=1)


if __name__ == "__main__":
    main()
