"""Tensors and tables in, plotly figures out (returned, never shown)."""

from interp_utils.plots.bars import bars, histograms
from interp_utils.plots.curves import accuracy_panels, curves, lines, loss_curves
from interp_utils.plots.diagrams import phase_map
from interp_utils.plots.groups import ladder, lines_in_space, share_bars, staircase
from interp_utils.plots.images import heatmap, heatmaps
from interp_utils.plots.numbers import answer_curves, answer_map, polar
from interp_utils.plots.phasors import phase_circles, raster
from interp_utils.plots.scatters import complex_plane, points, strips, token_scatters
from interp_utils.plots.spectra import component_bars, frequency_bars, spectrum_over_training
from interp_utils.plots.stories import dots, how_it_works, interference, one_layer
from interp_utils.plots.style import RED, WIDTH, to_numpy, use_in_notebooks

__all__ = [
    "RED",
    "WIDTH",
    "accuracy_panels",
    "answer_curves",
    "answer_map",
    "bars",
    "complex_plane",
    "component_bars",
    "curves",
    "dots",
    "frequency_bars",
    "heatmap",
    "heatmaps",
    "histograms",
    "how_it_works",
    "interference",
    "ladder",
    "lines",
    "lines_in_space",
    "loss_curves",
    "one_layer",
    "phase_circles",
    "phase_map",
    "points",
    "polar",
    "raster",
    "share_bars",
    "spectrum_over_training",
    "staircase",
    "strips",
    "to_numpy",
    "token_scatters",
    "use_in_notebooks",
]
