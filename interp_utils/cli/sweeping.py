"""`interp-utils sweep`: its options, the study that it works on, and the best trials."""

from __future__ import annotations

import argparse
import functools
import itertools
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from interp_utils import cli, sweeps
from interp_utils.cli import options, text
from interp_utils.cli.varying import Values, read_vary
from interp_utils.configs import ModelConfig, RunConfig, TrainConfig
from interp_utils.runs.run import Run
from interp_utils.sweeps import studies
from interp_utils.tasks import AnyTask, StreamTask
from interp_utils.training import objectives

if TYPE_CHECKING:
    import optuna

OBJECTIVES: dict[str, Callable[[Run], float]] = {
    "loss": sweeps.held_out_loss,
    "mean-loss": functools.partial(sweeps.held_out_loss, rows=10),
    "step-generalised": sweeps.step_generalised,
}
BEST = 5  # trials that are printed


def add_options(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--vary",
        metavar="NAME=VALUES",
        action="append",
        required=True,
        help="an option of the groups above without its dashes, and its values: a list, "
        "lr=1e-3,3e-3; a range, lr=0.001:0.003, or by its "
        "logarithm, lr=1e-4:1e-2:log. Once for each option that is varied (required)",
    )
    group.add_argument(
        "--trials",
        metavar="N",
        type=int,
        help="in all, by all workers; default: every combination of the lists once",
    )
    group.add_argument(
        "--objective",
        choices=OBJECTIVES,
        default="loss",
        help="what is best: the lowest held-out loss at the end, the lowest mean of its last ten "
        "logged rows, or the first step from which "
        "held-out accuracy stays above 0.99, for five logged rows at least (default: loss)",
    )
    group.add_argument(
        "--sampler-seed",
        metavar="int",
        type=int,
        help="makes the trials of one worker repeatable (with --trials)",
    )
    group.add_argument(
        "--at-once",
        metavar="N|fit",
        type=_at_once,
        default=1,
        help="trials that a worker takes at most and computes together where it can, which is "
        "faster for small models; fit: as many as fit into memory (default: 1)",
    )
    group.add_argument(
        "--out",
        metavar="FOLDER",
        type=Path,
        required=True,
        help="where the runs go; the same for all workers (required)",
    )
    group.add_argument(
        "--storage",
        metavar="URL|FILE",
        help="what workers share beside the folder: a database's URL, e.g. "
        "postgresql://host/name for several machines, or a journal "
        f"file for one (default: FOLDER/{studies.JOURNAL})",
    )
    group.add_argument(
        "--study", metavar="NAME", default="sweep", help="of the study in there (default: sweep)"
    )
    cli.add_running(group)


def _at_once(text: str) -> int | None:
    if text == "fit":
        return None
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected an integer of at least 1, or fit, got {text!r}")
    return int(text)


def sweep(arguments: argparse.Namespace) -> int:
    logging = studies.import_optuna().logging
    logging.set_verbosity(logging.WARNING)
    vary, trials, device = read_vary(arguments), arguments.trials, options.device(arguments)
    check(arguments, vary)
    if trials is not None and trials < 1:
        raise ValueError(f"--trials must be at least 1, got {trials}")
    if trials is None:
        if ranges := [name for name, values in vary.items() if values.is_range]:
            raise ValueError(
                f"how many values of {', '.join(ranges)}? Say --trials N, or give a list of values"
            )
        trials = [
            dict(zip(vary, chosen, strict=True))
            for chosen in itertools.product(*(values.of for values in vary.values()))
        ]

    def make(trial: optuna.Trial) -> tuple[AnyTask, ModelConfig, TrainConfig]:
        return options.make(
            with_values(
                arguments, {name: values.suggest(trial, name) for name, values in vary.items()}
            )
        )

    try:
        study = sweeps.sweep(
            make,
            out=arguments.out,
            trials=trials,
            objective=OBJECTIVES[arguments.objective],
            storage=arguments.storage,
            study=arguments.study,
            about=about(arguments, vary),
            seed=arguments.sampler_seed,
            at_once=arguments.at_once,
            device=device,
            progress=not arguments.quiet,
        )
    except KeyboardInterrupt:
        raise KeyboardInterrupt(
            "stopped; what was trained is saved, and the same command goes on from there"
        ) from None
    return _print_outcome(study, arguments)


def with_values(arguments: argparse.Namespace, values: Mapping[str, Any]) -> argparse.Namespace:
    """The options, as if these had been given, too."""
    known = options.variables(arguments.task)
    return argparse.Namespace(
        **vars(arguments), **{known[name][0]: value for name, value in values.items()}
    )


def check(arguments: argparse.Namespace, vary: Mapping[str, Values]) -> None:
    """Raises ValueError for options or values that make no training, before there is a study of
    them.
    """
    first = {name: values.of[0] for name, values in vary.items()}
    for name, values in vary.items():
        for value in values.of:
            task, model, training = options.make(with_values(arguments, {**first, name: value}))
            objectives.check(task, RunConfig(model.for_task(task), training))
            if not isinstance(task, StreamTask) and not task.test_mask.any():
                raise ValueError(
                    "a sweep looks for the best on held-out inputs, and there are none: "
                    "--frac-train must be below 1"
                )


def about(arguments: argparse.Namespace, vary: Mapping[str, Values]) -> dict[str, Any]:
    """What workers on one study must agree on."""
    fixed = {
        name: value
        for name, value in vars(arguments).items()
        if name.startswith(("task.", "model.", "training."))
    }
    varied = {f"--vary {name}": values._asdict() for name, values in vary.items()}
    return {"task": arguments.task, "objective": arguments.objective, **fixed, **varied}


def _print_outcome(study: optuna.Study, arguments: argparse.Namespace) -> int:
    states = [trial.state.name for trial in study.trials]
    done = sorted(
        (trial for trial in study.trials if trial.state.name == "COMPLETE"),
        key=lambda trial: trial.value,
    )
    print(
        f"{len(done)} trials are done, {states.count('PRUNED')} diverged."
        + (f" The best {min(BEST, len(done))}:" if done else "")
    )
    rows = [
        {
            "trial": trial.number,
            arguments.objective: text.spell(trial.value),
            **{name: text.spell(value) for name, value in trial.params.items()},
            "run": arguments.out / trial.user_attrs["run"],
        }
        for trial in done[:BEST]
    ]
    if not rows:
        return cli.complain(
            ValueError(
                next(
                    trial.user_attrs["reason"]
                    for trial in study.trials
                    if trial.state.name == "PRUNED"
                )
            ),
            1,
        )
    print(text.table(rows, list(rows[0])))
    where = "" if arguments.storage is None else ", storage=..."
    where += "" if arguments.study == "sweep" else f", study={arguments.study!r}"
    print(f"All of them, in Python: sweeps.load({str(arguments.out)!r}{where}).trials_dataframe()")
    return 0
