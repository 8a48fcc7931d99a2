"""The README's figures, from the shipped run: docs/figures/*.png. Needs Chrome or Chromium, and the
extra `figures`.
"""

from __future__ import annotations

from pathlib import Path

from interp_utils import CachedModel, Run, fourier, milestones, plots

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
        "circles": plots.token_scatters(
            planes,
            title="Each key frequency is a circle of tokens",
            axis_title="direction",
            order=order,
        ),
        "grokking": plots.loss_curves(
            run.metrics, milestones.phases(run.metrics), title="Grokking (a + b) mod 113"
        ),
    }
    for name, figure in figures.items():
        figure.write_image(ROOT / "docs" / "figures" / f"{name}.png", scale=1.5)


if __name__ == "__main__":
    main()
