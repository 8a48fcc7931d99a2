from pathlib import Path

from interp_utils import Run, presets

MAIN = Path(__file__).parents[1] / "checkpoints" / "modular_addition"


def test_fast_mode_is_smaller(monkeypatch):
    monkeypatch.delenv("INTERP_FAST", raising=False)
    usual = presets.quick()
    monkeypatch.setenv("INTERP_FAST", "1")
    fast = presets.quick()
    assert fast.task.grid < usual.task.grid and fast.train.steps < usual.train.steps


def test_the_fast_recipe_is_on_the_papers_task(monkeypatch):
    monkeypatch.delenv("INTERP_FAST", raising=False)
    task, model, training = presets.fast()
    demo = presets.grokking_demo()
    assert task.params["p"] == 113 and task.train_mask.sum() == demo.task.train_mask.sum()
    assert model.for_task(task).to_json() | {"seed": 999} == demo.model.for_task(task).to_json()
    assert training.lr * training.weight_decay > 10 * demo.train.lr * demo.train.weight_decay
    monkeypatch.setenv("INTERP_FAST", "1")
    smaller = presets.fast()
    assert smaller.task.params["p"] == 53 and smaller.train.steps < training.steps
    assert (smaller.train.lr, smaller.train.weight_decay) == (training.lr, training.weight_decay)


def test_grokking_demo_is_the_published_setting():
    task, model, training = presets.grokking_demo()
    assert task.params == {"p": 113, "frac_train": 0.3, "seed": 598, "split": "grokking_demo"}
    assert (
        training.lr,
        training.weight_decay,
        training.betas,
        training.warmup_steps,
        training.steps,
    ) == (
        1e-3,
        1.0,
        (0.9, 0.98),
        0,
        25_000,
    )
    assert (model.d_model, model.n_heads, model.d_head, model.d_mlp, model.biases, model.init) == (
        128,
        4,
        32,
        512,
        "none",
        "transformer_lens",
    )


def test_notebooks_train_afresh_in_ci_and_keep_their_runs_otherwise(monkeypatch):
    monkeypatch.setenv("INTERP_FAST", "1")
    assert presets.runs_folder() != presets.runs_folder()
    monkeypatch.delenv("INTERP_FAST")
    assert str(presets.runs_folder()) == "../runs"


def test_fewer_snapshots_are_looked_into_in_ci(monkeypatch, small_run):
    monkeypatch.setenv("INTERP_FAST", "1")
    assert presets.snapshots(Run.load(MAIN))[:3] == [0, 32, 250]
    fewer = presets.snapshots(small_run)
    assert (fewer[0], fewer[-1]) == (0, 60) and 2 < len(fewer) < len(small_run.steps)
    monkeypatch.delenv("INTERP_FAST")
    assert presets.snapshots(small_run) == small_run.steps


def test_the_published_log_is_that_of_the_demo_and_ours_is_like_it(small_run):
    main = Run.load(MAIN)
    log = presets.published_log(main.metrics)
    assert log["within"].all() and list(log.index) == list(presets.PUBLISHED_LOG)
    assert log["published run"].between(log["from"], log["to"]).all()
    other = presets.published_log(small_run.metrics)
    assert not other["within"].all() and other["this run"].isna().any()


def test_another_seed_is_another_run():
    one, other = (presets.quick().seeded(seed) for seed in (0, 1))
    assert one.model.seed != other.model.seed
    assert not one.task.train_mask.equal(other.task.train_mask)
