"""Sweeps: trials that are runs, workers that die, and the same from a shell."""

import contextlib
import dataclasses
import itertools
import json
import math
import os
import re
import shlex
import signal
import sys
import time
from collections import Counter
from pathlib import Path

import optuna
import pandas as pd
import plotly.io as pio
import pytest
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import TrialState

from interp_utils import Run, TrainConfig, cli, milestones, sweeps, tasks
from interp_utils.cli import constructors, options, sweeping, varying
from interp_utils.plots import style
from interp_utils.runs.storage import DamagedFile, exclusive
from interp_utils.sweeps import search, work
from interp_utils.training.trainer import Trainer
from tests import postgres, workers
from tests.processes import process
from tests.small import SMALL_MODEL

TASK, QUICK = tasks.modular_addition(5, 0.6), TrainConfig(steps=4, log_every=2, snapshot_every=None)
COMPLETE, PRUNED, FAIL, RUNNING = (
    TrialState.COMPLETE,
    TrialState.PRUNED,
    TrialState.FAIL,
    TrialState.RUNNING,
)


@pytest.fixture(autouse=True)
def quiet_and_impatient(monkeypatch):
    monkeypatch.setattr(search, "POLL_SECONDS", 0.01)
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    yield
    optuna.logging.set_verbosity(before)


@pytest.fixture
def updates(monkeypatch) -> Counter:
    """How many updates were made, by learning rate."""
    update, made = Trainer.update, Counter()

    def counted(trainer):
        made[trainer.config.lr] += 1
        update(trainer)

    monkeypatch.setattr(Trainer, "update", counted)
    return made


@pytest.fixture
def postgresql():
    with postgres.server() as url:
        yield url


def make(trial):
    """Any learning rate, three seeds."""
    model = dataclasses.replace(SMALL_MODEL, seed=trial.suggest_categorical("seed", [0, 1, 2]))
    return (
        TASK,
        model,
        dataclasses.replace(QUICK, lr=trial.suggest_float("lr", 1e-4, 1e2, log=True)),
    )


def sweep(out: Path, trials=2, **settings) -> optuna.Study:
    return sweeps.sweep(
        **{"make": make, "seed": 0, "progress": False, **settings}, out=out, trials=trials
    )


def states(study: optuna.Study) -> list[TrialState]:
    return [trial.state for trial in study.trials]


def grid(*lrs: float, seed: int = 0) -> list[dict]:
    return [{"lr": lr, "seed": seed} for lr in lrs]


# workers that die


@pytest.mark.skipif(sys.platform != "linux", reason="signals are Linux's")
@pytest.mark.parametrize("kind", ["journal", "sqlite", "postgresql"])
def test_three_workers_one_of_them_killed(kind, tmp_path, request):
    """Its trial is finished by another from its last save; no other run is trained twice in any
    part, and none is lost.
    """
    out, log = tmp_path / "sweep", tmp_path / "log"
    log.mkdir()
    storage = {
        "journal": lambda: None,
        "sqlite": lambda: f"sqlite:///{tmp_path}/study.db",
        "postgresql": lambda: request.getfixturevalue("postgresql"),
    }[kind]()
    with (
        process(workers.worker, out, storage, log, 0.05) as (victim, _),
        process(workers.worker, out, storage, log, 0.0) as (_, second),
        process(workers.worker, out, storage, log, 0.0) as (_, third),
    ):
        own = log / str(victim.pid)
        while not (own.exists() and len(own.read_text().splitlines()) > 20):
            time.sleep(0.01)
        victim.kill()
        victim.join()
        last_lr, last_step = own.read_text().splitlines()[-1].split()
        assert second.recv() == third.recv() == "finished"
    study = sweeps.load(out, storage)
    assert states(study) == [COMPLETE] * workers.TRIALS
    rates = {trial.params["lr"] for trial in study.trials}
    (lost,) = [trial for trial in study.trials if "resumed_at" in trial.user_attrs]
    assert lost.params["lr"] == float(last_lr) and 0 < lost.user_attrs["resumed_at"] <= int(
        last_step
    )
    made = Counter(
        (float(lr), int(step))
        for file in log.iterdir()
        for lr, step in map(str.split, file.read_text().splitlines())
    )
    assert made.keys() == set(itertools.product(rates, range(workers.STEPS)))
    twice = {key for key, count in made.items() if count > 1}
    assert twice <= {
        (float(last_lr), step) for step in range(lost.user_attrs["resumed_at"], int(last_step) + 1)
    }
    assert len(list(log.iterdir())) == workers.N_WORKERS and all(
        file.read_text() for file in log.iterdir()
    )
    for trial in study.trials:
        run = Run.load(out / trial.user_attrs["run"])
        run.verify()
        assert run.finished and trial.value == run.metrics["test_loss"].iloc[-1]
        assert run.path.name == sweeps.run_name(*workers.make(trial))
    assert len(list(out.glob("*/run.json"))) == workers.TRIALS


def test_ctrl_c_leaves_the_trial_to_the_next_call(tmp_path, monkeypatch):
    update, interrupted = Trainer.update, []

    def once(trainer):
        if trainer.step == 2 and not interrupted:
            interrupted.append(trainer)
            os.kill(os.getpid(), signal.SIGINT)
        update(trainer)

    monkeypatch.setattr(Trainer, "update", once)
    with pytest.raises(KeyboardInterrupt, match="stopped at step 3"):
        sweep(tmp_path)
    assert states(sweeps.load(tmp_path)) == [RUNNING]
    study = sweep(tmp_path)
    assert states(study) == [COMPLETE, COMPLETE]
    assert [trial.user_attrs.get("resumed_at") for trial in study.trials] == [3, None]


@pytest.mark.parametrize("suggested", [False, True])
def test_a_worker_that_died_as_it_began(tmp_path, suggested):
    """Before its trial had all its parameters, and a run."""
    left = sweep(tmp_path, 0).ask()
    if suggested:
        left.suggest_float("lr", 1e-4, 1e2, log=True)
    study = sweep(tmp_path)
    assert (
        states(study) == [COMPLETE, COMPLETE]
        and "resumed_at" not in study.trials[left.number].user_attrs
    )
    assert not suggested or study.trials[left.number].params["lr"] == left.params["lr"]


def test_what_another_worker_is_doing_is_left_to_it(tmp_path, monkeypatch):
    """A trial that it holds, and a run that it trains for another study; until it has gone."""
    study = sweep(tmp_path, 0)
    study.enqueue_trial(*grid(0.1))
    make(study.ask())
    of_trial, of_run, seen = contextlib.ExitStack(), contextlib.ExitStack(), []
    of_trial.enter_context(exclusive(tmp_path / search.TRIALS, "sweep-0.lock"))
    of_run.enter_context(
        exclusive(tmp_path / sweeps.run_name(TASK, SMALL_MODEL, dataclasses.replace(QUICK, lr=0.2)))
    )

    def gone(seconds):
        seen.append(states(study))
        (of_run if len(seen) == 1 else of_trial).close()

    monkeypatch.setattr(search.time, "sleep", gone)
    assert states(sweep(tmp_path, grid(0.1, 0.2, 0.3))) == [COMPLETE, COMPLETE, COMPLETE]
    assert seen == [[RUNNING, RUNNING, COMPLETE], [RUNNING, COMPLETE, COMPLETE]]


def test_a_trial_that_its_worker_finishes_just_now(tmp_path, monkeypatch):
    """After it was seen to be running, before it is found without a worker."""
    study, locked = sweep(tmp_path, 0), search._locked
    left = study.ask()

    def finished_first(folder, there, number, lock):
        if number == left.number:
            study.tell(left, 1.0)
        return locked(folder, there, number, lock)

    monkeypatch.setattr(search, "_locked", finished_first)
    study = sweep(tmp_path)
    assert states(study) == [COMPLETE, COMPLETE] and study.trials[0].value == 1.0


def test_a_record_cut_short(tmp_path):
    """Optuna's own lock leaves it, and what is written next joins it in one unreadable line."""
    sweep(tmp_path)
    journal = tmp_path / "study.journal"
    whole = journal.read_bytes()
    for own in (True, False):
        journal.write_bytes(whole + whole.splitlines()[-1][:20])
        if own:
            assert states(sweep(tmp_path, 3)) == [COMPLETE] * 3 and journal.read_bytes().startswith(
                whole
            )
            continue
        stock = JournalStorage(JournalFileBackend(str(journal)))
        with pytest.raises(json.JSONDecodeError):
            for _ in range(2):
                optuna.load_study(study_name="sweep", storage=stock).set_user_attr("a", 1)


# which trials, which runs


def test_trials_are_counted_over_all_calls_and_a_seed_repeats_them(tmp_path, updates):
    straight = sweep(tmp_path / "straight", 12)  # TPE draws ten at random, then models
    made = updates.copy()
    for trials in (3, 11, 12, 12):
        broken = sweep(tmp_path / "broken", trials)
        assert len(broken.trials) == trials
    assert [trial.params for trial in broken.trials] == [trial.params for trial in straight.trials]
    assert [trial.values for trial in broken.trials] == [trial.values for trial in straight.trials]
    assert (
        updates == {lr: 2 * count for lr, count in made.items()}
        and made.total() >= 11 * QUICK.steps
    )
    other = sweep(tmp_path / "other", 2, seed=1)
    assert [trial.params for trial in other.trials] != [
        trial.params for trial in straight.trials[:2]
    ]
    unseeded = [sweep(tmp_path / name, 1, seed=None).trials[0].params for name in "ab"]
    assert unseeded[0] != unseeded[1]


def test_a_grid_is_trained_once(tmp_path, updates):
    first = sweep(tmp_path, grid(0.1, 0.2, 0.1))
    assert [trial.params for trial in first.trials] == grid(0.1, 0.2)
    more = sweep(tmp_path, grid(0.2, 0.3))
    assert [trial.params for trial in more.trials] == grid(0.1, 0.2, 0.3)
    assert updates == {0.1: QUICK.steps, 0.2: QUICK.steps, 0.3: QUICK.steps}


def test_the_same_settings_are_the_same_run_in_another_study(tmp_path, updates):
    first, second = (sweep(tmp_path, grid(0.1, 0.2), study=name) for name in ("one", "an/other"))
    assert updates.total() == 2 * QUICK.steps
    assert [trial.values for trial in first.trials] == [trial.values for trial in second.trials]
    assert [trial.user_attrs["run"] for trial in first.trials] == [
        trial.user_attrs["run"] for trial in second.trials
    ]


def test_a_runs_name():
    @dataclasses.dataclass(frozen=True)
    class Later(TrainConfig):
        added_later: int = 7

    name = sweeps.run_name(TASK, SMALL_MODEL, QUICK)
    assert re.fullmatch("[0-9a-f]{16}", name)
    assert name == sweeps.run_name(TASK, SMALL_MODEL.for_task(TASK), Later(**QUICK.to_json()))
    others = [
        (tasks.modular_addition(5, 0.6, seed=1), SMALL_MODEL, QUICK),
        (dataclasses.replace(TASK, train_mask=TASK.train_mask.flip(0)), SMALL_MODEL, QUICK),
        (TASK, dataclasses.replace(SMALL_MODEL, seed=1), QUICK),
        (TASK, SMALL_MODEL, dataclasses.replace(QUICK, lr=2e-3)),
        (TASK, SMALL_MODEL, Later(**QUICK.to_json(), added_later=8)),
    ]
    assert len({name, *(sweeps.run_name(*other) for other in others)}) == 6


# trials that end otherwise


def test_a_training_that_diverges_is_pruned(tmp_path):
    study = sweep(tmp_path, [{"lr": 1e30, "seed": 0}, *grid(0.1)], make=with_any_lr)
    assert states(study) == [PRUNED, COMPLETE]
    assert "is not finite at step" in study.trials[0].user_attrs["reason"]
    assert len(sweep(tmp_path, 2, make=with_any_lr).trials) == 2  # it counts


def with_any_seed(trial):
    task, model, training = with_any_lr(trial)
    return task, dataclasses.replace(model, seed=trial.suggest_int("seed", 0, 2)), training


def with_any_lr(trial):
    lr = trial.suggest_float("lr", 1e-4, 1e30, log=True)
    return TASK, SMALL_MODEL, dataclasses.replace(QUICK, lr=lr, warmup_steps=0, weight_decay=0.0)


def test_settings_that_make_no_sense_together(tmp_path):
    def picky(trial):
        if trial.suggest_categorical("seed", [0, 1, 2]) == 1:
            raise optuna.TrialPruned("no seed 1")
        return make(trial)

    study = sweep(tmp_path, [{"lr": 0.1, "seed": seed} for seed in range(3)], make=picky)
    assert states(study) == [COMPLETE, PRUNED, COMPLETE] and study.trials[1].user_attrs == {
        "reason": "no seed 1"
    }


def test_what_make_raises_fails_the_trial_and_it_is_made_again(tmp_path):
    def wrong(trial):
        task, model, training = make(trial)
        return task, model, dataclasses.replace(training, lr=-training.lr)

    for _ in range(2):  # the failed one does not count as one of the grid
        with pytest.raises(ValueError, match="lr must be a finite number above"):
            sweep(tmp_path, grid(0.1), make=wrong)
    study = sweep(tmp_path, grid(0.1))
    assert (
        states(study) == [FAIL, FAIL, COMPLETE]
        and "lr must be" in study.trials[0].user_attrs["reason"]
    )


def test_an_objective_must_be_a_number(tmp_path):
    with pytest.raises(ValueError, match="the objective of .* is not a number; return infinity"):
        sweep(tmp_path, objective=lambda run: math.nan)
    study = sweep(tmp_path, 1, objective=lambda run: math.inf)
    assert states(study) == [FAIL, COMPLETE] and study.trials[1].value == math.inf


def test_a_damaged_run_fails_its_trial_alone(tmp_path):
    name = sweep(tmp_path, grid(0.1)).trials[0].user_attrs["run"]
    (tmp_path / name / "task.safetensors").unlink()
    with pytest.raises(DamagedFile, match="task.safetensors"):
        sweep(tmp_path, grid(0.1, 0.2), study="other")
    assert states(sweeps.load(tmp_path, study="other")) == [FAIL, TrialState.WAITING]


def test_a_full_disk_leaves_the_trial_to_the_next_call(tmp_path, monkeypatch):
    with monkeypatch.context() as full:
        full.setattr(
            work,
            "train",
            lambda *_, **__: (_ for _ in ()).throw(OSError(28, "No space left on device")),
        )
        with pytest.raises(OSError, match="No space"):
            sweep(tmp_path)
    assert states(sweeps.load(tmp_path)) == [RUNNING] and states(sweep(tmp_path)) == [
        COMPLETE,
        COMPLETE,
    ]


# objectives


def planted(**columns) -> Run:
    rows = {"step": [10 * i for i in range(7)], "train_accuracy": [1.0] * 7}
    return Run(Path("planted"), {}, {**rows, **columns})


@pytest.mark.parametrize("split", ["test", "validation"])
def test_objectives(split):
    run = planted(
        **{
            f"{split}_loss": [9.0, 9.0, 9.0, 9.0, 4.0, 0.5, 0.25],
            f"{split}_accuracy": [0.995, 0.5, 0.995, 0.999, 1.0, 1.0, 1.0],
        },
    )
    assert (
        sweeps.held_out_loss(run) == 0.25
        and sweeps.held_out_loss(run, rows=2) == 0.375
        and sweeps.held_out_loss(run, 99) == 40.75 / 7
    )
    assert sweeps.step_generalised(run) == 20
    assert sweeps.step_generalised(run, accuracy=0.997) == math.inf, "four rows are too few"
    assert sweeps.step_generalised(run, accuracy=0.4) == 0
    assert sweeps.step_generalised(planted(test_accuracy=[*[1.0] * 6, 0.9])) == math.inf


def test_no_held_out_inputs(tmp_path):
    def all_for_training(trial):
        return tasks.modular_addition(3, 1.0), *make(trial)[1:]

    with pytest.raises(
        ValueError, match="has no held-out loss: all its inputs are for training. Lower frac_train"
    ):
        sweep(tmp_path, make=all_for_training)


# all trials as a table


def test_a_table_of_all_trials(tmp_path):
    """Those that are done, diverged, failed, and wait; none is left out."""

    def objective(run):
        if run.config.train.lr == 0.3:
            raise LookupError("mine")
        return sweeps.held_out_loss(run)

    wanted = [{"lr": 1e30, "seed": 0}, *grid(0.1, 0.3, 0.2, seed=1)]
    with pytest.raises(LookupError, match="mine"):
        sweep(tmp_path, wanted, make=with_any_seed, objective=objective)
    table = sweeps.table(tmp_path)
    assert table["trial"].tolist() == [0, 1, 2, 3]
    assert table["state"].tolist() == ["PRUNED", "COMPLETE", "FAIL", "WAITING"]
    assert table["params_lr"].tolist() == [1e30, 0.1, 0.3, 0.2]
    assert table["params_seed"].tolist() == [0, 1, 1, 1]
    study = sweeps.load(tmp_path)
    assert table["value"].notna().tolist() == [False, True, False, False]
    assert table["value"][1] == study.trials[1].value
    runs = [trial.user_attrs.get("run") for trial in study.trials]
    assert table["run"].fillna("").tolist() == [run or "" for run in runs]
    assert "is not finite" in table["reason"][0] and table["reason"][2] == "mine"
    reached = milestones.milestones(Run.load(tmp_path / runs[1]).metrics)
    assert table["last_step"].isna().tolist() == [False, False, False, True]
    assert table["last_step"][1] == reached.last_step == QUICK.steps
    assert table["last_step"][0] < QUICK.steps, "what was saved before it diverged"
    assert table[["memorised", "generalised", "delay"]].isna().all(axis=None), "censored"
    easy = sweeps.table(tmp_path, level=-1.0, factor=1.0, until=2)
    assert easy["last_step"][1] == 2


def test_a_table_keeps_numbers_whole_and_goes_into_files(tmp_path, monkeypatch):
    """On planted metrics, in which milestones were reached."""
    study = sweep(tmp_path, [{"lr": 0.1, "seed": 0}, {"lr": 1.0, "seed": 2}])
    metrics = {"step": [0, 1, 2, 3, 4, 5], "train_accuracy": [0.0, *[1.0] * 5]}
    metrics |= {"test_accuracy": metrics["train_accuracy"], "seconds": [0.0, 2, 4, 6, 8, 10]}
    monkeypatch.setattr(Run, "load", lambda path: planted(**metrics))
    study.enqueue_trial({"lr": 0.5})
    table = sweeps.table(tmp_path)
    assert table["generalised"].tolist()[:2] == [1, 1] and table["generalised"].isna()[2]
    assert table["seconds_generalised"].tolist()[:2] == [2.0, 2.0]
    kinds = {"params_seed": "Int64", "params_lr": "float64", "generalised": "Int64"}
    assert {name: str(table[name].dtype) for name in kinds} == kinds
    text = table.to_csv(index=False).splitlines()
    assert text[0].startswith("trial,state,value,run,reason,params_lr,params_seed,memorised,")
    assert text[1].split(",")[6:9] == ["0", "1", "1"] and text[3].split(",")[6:9] == ["", "", ""]
    pytest.importorskip("pyarrow")
    table.to_parquet(tmp_path / "table.parquet")
    assert pd.read_parquet(tmp_path / "table.parquet").equals(table)


# which study


def test_workers_share_one_folder(tmp_path):
    storage = tmp_path / "one" / "a journal"
    sweep(tmp_path / "one", 1, storage=storage)
    with pytest.raises(
        ValueError,
        match="study 'sweep' has its runs in another folder than .*two: all its workers share one",
    ):
        sweep(tmp_path / "two", 1, storage=storage)
    (tmp_path / "one").rename(tmp_path / "moved")
    assert len(sweep(tmp_path / "moved", 2, storage=tmp_path / "moved" / "a journal").trials) == 2


def test_workers_agree_what_it_is_about(tmp_path):
    sweep(tmp_path, 1, about={"steps": 4, "betas": (0.9, 0.98)})
    assert len(sweep(tmp_path, 2, about={"betas": [0.9, 0.98], "steps": 4}).trials) == 2
    with pytest.raises(
        ValueError,
        match=r"there with other settings \(of = None there, 'p' here, steps = 4 there, 5 here\); "
        r"take another name",
    ):
        sweep(tmp_path, 3, about={"steps": 5, "betas": (0.9, 0.98), "of": "p"})


def test_no_study_there(tmp_path):
    with pytest.raises(FileNotFoundError, match="there is no sweep in .*study.journal is missing"):
        sweeps.load(tmp_path)
    assert not list(tmp_path.iterdir())
    sweep(tmp_path, 0)
    with pytest.raises(
        ValueError, match=r"there is no study 'other' in this storage; it has \['sweep'\]"
    ):
        sweeps.load(tmp_path, study="other")


@pytest.mark.parametrize("url", ["sqlite:////nowhere/at/all.db", "nosuchthing://host/name"])
def test_a_storage_that_cannot_be_opened(tmp_path, url):
    with pytest.raises(
        ValueError, match="cannot open this storage .*; a database's URL is e.g. sqlite:///"
    ):
        sweep(tmp_path, storage=url)


def test_without_optuna(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    for call in (lambda: sweep(tmp_path), lambda: sweeps.load(tmp_path)):
        with pytest.raises(
            ModuleNotFoundError, match=r"sweeps need Optuna: pip install 'interp-utils\[sweeps\]'"
        ):
            call()


def test_without_the_driver_of_postgresql(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(
        ModuleNotFoundError,
        match=r"PostgreSQL needs psycopg 3: pip install 'interp-utils\[postgresql\]'",
    ):
        sweep(tmp_path, storage="postgresql://host/name")


def test_a_postgresql_server_that_is_not_there(tmp_path):
    """It is psycopg 3 that looks for it; another driver that is asked for is left to SQLAlchemy."""
    url = f"postgresql://me@/name?host={tmp_path}"
    with pytest.raises(ValueError, match=r"cannot open this storage \(\(psycopg.OperationalError"):
        sweep(tmp_path, storage=url)
    with pytest.raises(ValueError, match="cannot open this storage .* named .psycopg2"):
        sweep(tmp_path, storage=url.replace("postgresql:", "postgresql+psycopg2:"))


def test_optunas_figures_take_our_style_and_need_no_scikit_learn(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn", None)
    for changed in (pio.templates, pio.renderers):  # by the next line, for this test alone
        monkeypatch.setattr(changed, "default", changed.default)
    style.use_in_notebooks()
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    study.optimize(
        lambda trial: (
            trial.suggest_float("lr", 1e-4, 1, log=True)
            + 0 * trial.suggest_categorical("seed", [0, 1])
        ),
        n_trials=40,
    )
    importance = optuna.visualization.plot_param_importances(study)
    parallel = optuna.visualization.plot_parallel_coordinate(study)
    assert importance.data[0].y[-1] == "lr" and importance.data[0].x[-1] > 0.8
    for figure in (importance, parallel):
        assert figure.layout.template.layout.width == style.WIDTH and figure.to_json()


# from a shell

SIZES = "--d-model 16 --n-heads 2 --d-head 8 --d-mlp 32"
SHELL = f"sweep modular_addition {SIZES} --steps 4 --log-every 2 --frac-train 0.6 --quiet"


def test_every_combination_from_a_shell(shell, tmp_path, updates):
    line = f"{SHELL} --p 5 --vary lr=1e-2,2e-2 --vary model-seed=0,1,2 --out {tmp_path}"
    code, out, err = shell(line)
    study = sweeps.load(tmp_path)
    assert (
        (code, err) == (0, "")
        and states(study) == [COMPLETE] * 6
        and updates == {0.01: 12, 0.02: 12}
    )
    assert {tuple(trial.params.items()) for trial in study.trials} == {
        (("lr", lr), ("model_seed", seed)) for lr in (0.01, 0.02) for seed in (0, 1, 2)
    }
    count, heading, *rows, hint = out.splitlines()
    assert count == "6 trials are done, 0 diverged. The best 5:" and heading.split() == [
        "trial",
        "loss",
        "lr",
        "model_seed",
        "run",
    ]
    best = study.best_trial
    expected = [
        str(best.number),
        f"{best.value:.4g}",
        f"{best.params['lr']:.4g}",
        str(best.params["model_seed"]),
    ]
    assert rows[0].split() == [*expected, str(tmp_path / best.user_attrs["run"])] and len(rows) == 5
    assert hint == f"All of them, in Python: sweeps.load({str(tmp_path)!r}).trials_dataframe()"
    run = Run.load(tmp_path / best.user_attrs["run"])
    assert (
        run.config.train.lr == best.params["lr"]
        and run.config.model.seed == best.params["model_seed"]
    )
    table = study.trials_dataframe()
    assert {"value", "params_lr", "params_model_seed", "user_attrs_run", "state"} <= set(
        table
    ) and len(table) == 6
    assert shell(line)[:2] == (0, out) and updates.total() == 24


def test_chosen_trials_from_a_shell(shell, tmp_path):
    vary = "--vary p=5,7 --vary lr=1e-3:1e-1:log --vary d_mlp=8:32"
    line = (
        f"{SHELL.replace(' --d-mlp 32', '')} {vary} --trials 4 --sampler-seed 3 --objective "
        "mean-loss"
    )
    code, out, err = shell(
        f"{line} --storage sqlite:///{tmp_path}/my.db --study mine --out {tmp_path}"
    )
    study = sweeps.load(tmp_path, f"sqlite:///{tmp_path}/my.db", "mine")
    assert (code, err) == (0, "") and states(study) == [COMPLETE] * 4
    assert "sweeps.load(" in out and "storage=..., study='mine')" in out
    for trial in study.trials:
        assert (
            trial.params["p"] in (5, 7)
            and 1e-3 <= trial.params["lr"] <= 1e-1
            and type(trial.params["d_mlp"]) is int
        )
        assert trial.distributions["lr"].log and not trial.distributions["d_mlp"].log
        run = Run.load(tmp_path / trial.user_attrs["run"])
        assert (
            run.task.params["p"] == trial.params["p"]
            and run.config.model.d_mlp == trial.params["d_mlp"]
        )
        assert trial.value == pytest.approx(run.metrics["test_loss"].mean())


def test_another_worker_must_say_the_same(shell, tmp_path):
    assert shell(f"{SHELL} --p 5 --vary lr=1e-2 --out {tmp_path}")[0] == 0
    code, out, err = shell(f"{SHELL} --p 7 --vary lr=1e-2 --out {tmp_path}")
    assert (code, out) == (
        2,
        "",
    ) and "study 'sweep' is there with other settings (task.p = 5 there, 7 here); take" in err


def test_ctrl_c_in_a_shell(shell, tmp_path, monkeypatch):
    def interrupt(_):
        raise KeyboardInterrupt

    line = f"{SHELL} --p 5 --vary lr=1e-2 --out {tmp_path}"
    with monkeypatch.context() as stopped:
        stopped.setattr(Trainer, "update", interrupt)
        code, out, err = shell(line)
    assert (code, out) == (130, "")
    assert (
        err
        == "interp-utils: stopped; what was trained is saved, and the same command goes on from "
        "there\n"
    )
    assert shell(line)[0] == 0 and states(sweeps.load(tmp_path)) == [COMPLETE]


def test_where_all_diverge(shell, tmp_path):
    code, out, err = shell(
        f"{SHELL} --p 5 --warmup-steps 0 --weight-decay 0 --vary lr=1e30,1e31 --out {tmp_path}"
    )
    assert (
        code == 1 and out == "0 trials are done, 2 diverged.\n" and "is not finite at step" in err
    )


def test_without_optuna_in_a_shell(shell, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    code, out, err = shell(f"{SHELL} --p 5 --vary lr=1e-2 --out {tmp_path}")
    assert (code, out) == (
        1,
        "",
    ) and err == "interp-utils: sweeps need Optuna: pip install 'interp-utils[sweeps]'\n"


@pytest.mark.parametrize("name", constructors.constructors())
def test_help_of_a_task(shell, name):
    code, out, _ = shell(f"sweep {name} --help")
    assert code == 0 and re.findall(r"^(task|model|training|sweep):$", out, re.M) == [
        "task",
        "model",
        "training",
        "sweep",
    ]
    if name in options.EXAMPLES:
        example = cli.parser().parse_args(
            shlex.split(re.search(r"^  interp-utils (sweep .*)", out, re.M)[1])
        )
        sweeping.check(example, varying.read_vary(example))


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (
            "--p 5",
            "the following arguments are required: --vary; see interp-utils sweep "
            "modular_addition --help",
        ),
        ("--vary lr=1", "the following arguments are required: --p int, or a --vary of it"),
        (
            "--p 5 --vary lr",
            "argument --vary: expected NAME=VALUES with the name of an option, got 'lr'; see "
            "interp-utils sweep mod",
        ),
        (
            "--p 5 --vary learning=1",
            "argument --vary: expected NAME=VALUES with the name of an option, got 'learning=1'; "
            "see ",
        ),
        ("--p 5 --vary p=5,7", "p is given twice; give it its values once, in one --vary"),
        ("--p 5 --vary lr=1 --vary lr=2", "lr is given twice; give it its values once"),
        (
            "--p 5 --vary lr=1,high",
            "argument --vary: expected float for each value of lr, got '1,high'",
        ),
        (
            "--p 5 --vary model-seed=0:1.5",
            "argument --vary: expected int for each value of model-seed, got '0:1.5'",
        ),
        (
            "--p 5 --vary betas=0.9,0.98",
            "argument --vary: expected float,float for each value of betas, got '0.9,0.98'",
        ),
        (
            "--p 5 --vary lr=2:1",
            "argument --vary: a range is LOW:HIGH, of numbers, or LOW:HIGH:log with LOW above 0, "
            "got lr=2:1",
        ),
        (
            "--p 5 --vary lr=0:1:log",
            "argument --vary: a range is LOW:HIGH, of numbers, or LOW:HIGH:log with LOW above 0, "
            "got lr=0:1:log",
        ),
        ("--p 5 --vary lr=1:2:lin", "argument --vary: a range is LOW:HIGH, "),
        ("--p 5 --vary act-fn=relu:gelu", "argument --vary: a range is LOW:HIGH, "),
        (
            "--p 5 --vary lr=1e-3:1e-2",
            "how many values of lr? Say --trials N, or give a list of values",
        ),
        ("--p 5 --vary lr=1e-3,-1", "--lr must be a finite number above 0.0, got -1.0"),
        (
            "--p 5 --vary batch-size=none,99",
            "modular_addition has 15 training inputs: leave --batch-size none, or at most as many",
        ),
        ("--vary p=5,1", "--p must be an integer of at least 2, got 1"),
        (
            "--p 5 --vary lr=1 --at-once 0",
            "argument --at-once: expected an integer of at least 1, or fit, got '0'",
        ),
        ("--p 5 --vary lr=1 --trials 0", "--trials must be at least 1, got 0"),
        ("--p 5 --vary lr=1 --objective best", "argument --objective: invalid choice: 'best'"),
    ],
)
def test_wrong_usage(shell, tmp_path, line, message):
    code, out, err = shell(f"{SHELL} --out {tmp_path}/new {line}")
    assert (
        (code, out) == (2, "")
        and err.startswith(f"interp-utils: {message}")
        and len(err.splitlines()) == 1
    )
    assert not (tmp_path / "new").exists()


def test_held_out_inputs_are_needed(shell, tmp_path):
    code, _, err = shell(
        f"sweep modular_addition --p 5 --vary frac-train=0.5,1 --out {tmp_path}/new"
    )
    assert (
        code == 2
        and "there are none: --frac-train must be below 1" in err
        and not (tmp_path / "new").exists()
    )
