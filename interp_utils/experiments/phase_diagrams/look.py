"""What is measured of these trainings, beside when they memorised and generalised."""

from __future__ import annotations

from interp_utils.analysis import algorithm, fourier
from interp_utils.experiments.rules import Row
from interp_utils.measures.milestones import KNOWN
from interp_utils.models.cached import CachedModel
from interp_utils.runs.run import Run


def weights(run: Run) -> Row:
    """The first logged step at which train accuracy was above 99 %, after which it may have fallen
    again for a while, None if never; the highest test accuracy that was logged, and the sum of
    squared weights at the end.
    """
    log = run.metrics
    high = log["step"][log["train_accuracy"] > KNOWN]
    return {
        "memorised first": None if high.empty else int(high.iloc[0]),
        "highest test accuracy": log["test_accuracy"].max().item(),
        "sum of squared weights": log["sum_squared_weights"].iloc[-1].item(),
    }


def circuit(run: Run) -> Row:
    """What `weights` returns, the number of key frequencies, and the share of the logits' variance
    in their cosines. These two are None where the label is no sum in coordinates that name
    everything once, or where there are no key frequencies.
    """
    none = {"key frequencies": None, "logit variance explained": None}
    try:
        logits = CachedModel(run.model(), run.task).as_sums().logits
        keys = fourier.key_frequencies(logits)
    except ValueError:
        return weights(run) | none
    share = algorithm.cosine_fit(logits, keys).variance_explained
    return weights(run) | {"key frequencies": len(keys), "logit variance explained": share}


def course(run: Run) -> Row:
    """What `weights` returns, and the test accuracy at about fifty of the logged steps."""
    log = run.metrics.iloc[:: max(len(run.metrics) // 50, 1)]
    accuracies = [round(value, 4) for value in log["test_accuracy"]]
    return weights(run) | {"steps": log["step"].tolist(), "test accuracies": accuracies}
