from interp_utils import presets


def test_fast_mode_is_smaller(monkeypatch):
    monkeypatch.delenv("INTERP_FAST", raising=False)
    usual = presets.quick()
    monkeypatch.setenv("INTERP_FAST", "1")
    fast = presets.quick()
    assert fast.task.grid < usual.task.grid and fast.train.steps < usual.train.steps


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
