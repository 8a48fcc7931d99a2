import copy
import dataclasses

import pytest
import torch
from torch import nn

from interp_utils import CachedModel, models, tasks
from tests.small import SMALL_MODEL, of_hooked_transformer

POST, PATTERN = "blocks.0.mlp.hook_post", "blocks.0.attn.hook_pattern"


@pytest.fixture
def cached(small_task) -> CachedModel:
    model = models.build(SMALL_MODEL.for_task(small_task))
    return CachedModel(model, small_task)


def zero(activation, hook):
    return 0 * activation


def test_everything_comes_on_the_grid_at_the_last_position(cached, small_task):
    logits, cache = cached.model.run_with_cache(small_task.tokens)
    assert cached.logits.shape == (7, 7, 7)
    for a in range(7):
        for b in range(7):
            n = a * 7 + b
            assert torch.allclose(cached.logits[a, b], logits[n, -1], atol=1e-6)
            assert torch.allclose(
                cached.activation("post", 0)[a, b], cache["post", 0][n, -1], atol=1e-6
            )
            assert torch.allclose(
                cached.activation("pattern", 0)[a, b], cache["pattern", 0][n, :, -1], atol=1e-6
            )
            assert torch.allclose(cached.activation("z", 0)[a, b], cache["z", 0][n, -1], atol=1e-6)
            assert torch.allclose(
                cached.activation("k", 0, pos=None)[a, b], cache["k", 0][n], atol=1e-6
            )
            assert torch.allclose(
                cached.activation("k", 0, pos=1)[a, b], cache["k", 0][n, 1], atol=1e-6
            )
    assert cached.activation(POST) is cached.activation("post", 0)
    assert not cached.logits.requires_grad


def test_each_input_is_run_once(cached, monkeypatch):
    runs = []
    run_with_cache = cached.model.run_with_cache
    monkeypatch.setattr(
        cached.model,
        "run_with_cache",
        lambda *a, **k: (runs.append(len(a[0])), run_with_cache(*a, **k))[1],
    )
    cached.fetch(("post", 0), ("pattern", 0), "embed")
    assert runs == [49]
    (
        cached.logits,
        cached.activation("post", 0),
        cached.activation("pattern", 0),
        cached.activation("embed"),
    )
    assert runs == [49]


def test_batches_keep_within_memory_and_change_nothing(cached, small_task, monkeypatch):
    tight = CachedModel(cached.model, small_task, memory=40_000)
    sizes = []
    run_with_cache = cached.model.run_with_cache
    monkeypatch.setattr(
        cached.model,
        "run_with_cache",
        lambda *a, **k: (sizes.append(len(a[0])), run_with_cache(*a, **k))[1],
    )
    assert torch.allclose(tight.logits, cached.logits, atol=1e-6)
    assert len(sizes) > 2 and sum(sizes[:-1]) == 49  # many batches, then the one of the roomy cache
    assert torch.allclose(tight.activation("post", 0), cached.activation("post", 0), atol=1e-6)


def test_only_what_was_asked_for_is_kept(cached):
    cached.activation("post", 0)
    assert {name for name, _ in cached._kept} == {"logits", POST}


@pytest.mark.parametrize(
    ("name", "layer", "message"),
    [
        ("posst", 0, "no activation 'posst' in layer 0; near names: post"),
        ("post", 3, "no activation 'post' in layer 3"),
        (POST, 1, "no activation 'blocks.0.mlp.hook_post' in layer 1"),
        (
            "blocks.0.mlp.hook_posts",
            None,
            "no activation 'blocks.0.mlp.hook_posts'; near names: post",
        ),
        ("xyzzy", None, "no activation 'xyzzy'; near names: .*attn_out.*pattern"),
        (
            "result",
            0,
            "does not compute blocks.0.attn.hook_result as it is configured|has no activation "
            "'result' in layer 0",
        ),
    ],
)
def test_a_name_the_model_does_not_have_is_an_error(cached, name, layer, message):
    with pytest.raises(ValueError, match=message):
        cached.activation(name, layer)
    with pytest.raises(ValueError, match="no activation 'mlp.hook_pots'"):
        cached.with_hooks(("mlp.hook_pots", zero))


def test_a_position_out_of_range_is_an_error(cached):
    with pytest.raises(ValueError, match="has 3 positions, got pos = 3"):
        cached.activation("post", 0, pos=3)


def change_in_place(model):
    model.blocks[0].mlp.W_in.data[3, 4] += 1


def swap_two_rows(model):
    model.embed.W_E.data[[0, 1]] = model.embed.W_E.data[[1, 0]]


def load_others(model):
    models.load_weights(model, {name: w + 0.1 for name, w in models.named_weights(model).items()})


def add_hook(model):
    model.add_hook(POST, zero)


def add_torch_hook(model):
    model.blocks[0].mlp.register_forward_hook(lambda module, inputs, output: 2 * output)


def change_the_scale(model):
    model.blocks[0].attn.attn_scale = 1.0


def change_the_configuration(model):
    model.cfg.use_attn_in = True
    model.cfg.output_logits_soft_cap = 0.5


@of_hooked_transformer
@pytest.mark.parametrize(
    "change",
    [
        change_in_place,
        swap_two_rows,
        load_others,
        add_hook,
        add_torch_hook,
        change_the_scale,
        change_the_configuration,
    ],
)
def test_a_changed_model_empties_the_cache(cached, small_task, change):
    before = cached.logits, cached.activation("post", 0)
    assert cached.logits is before[0]
    change(cached.model)
    assert torch.allclose(
        cached.logits.flatten(0, 1), cached.model(small_task.tokens)[:, -1], atol=1e-6
    )
    assert not torch.allclose(cached.logits, before[0])
    assert cached.activation("post", 0) is not before[1]


def test_removing_a_hook_empties_the_cache_too(cached):
    before = cached.logits
    cached.model.add_hook(POST, zero)
    assert not torch.allclose(cached.logits, before)
    cached.model.reset_hooks()
    assert torch.allclose(cached.logits, before)


def test_ablated_passes_leave_no_hook_behind(cached):
    before = cached.logits
    ablated = cached.with_hooks((POST, zero))
    assert not ablated.activation("post", 0).any() and not torch.allclose(ablated.logits, before)
    assert cached.logits is before
    assert not any(point.fwd_hooks for point in cached.model.hook_dict.values())
    both = ablated.with_hooks(("pattern", lambda pattern, hook: torch.full_like(pattern, 1 / 3)))
    assert (both.activation("pattern", 0) == 1 / 3).all() and not both.activation("post", 0).any()


def test_edits_apply_in_the_order_they_were_asked_for(cached):
    ones = torch.ones(7, 7, 32)
    doubled = ("post", lambda post, hook: 2 * post)
    assert (cached.with_values({"post": ones}).with_hooks(doubled).activation("post") == 2).all()
    assert (cached.with_hooks(doubled).with_values({"post": ones}).activation("post") == 1).all()


def test_gradients_see_the_edits(cached):
    inputs, classes = torch.tensor([3, 30]), torch.tensor([1, 5])
    no_heads = cached.with_values({"z": torch.zeros(7, 7, 2, 8)})
    gradients = no_heads.embedding_gradients(inputs, classes)
    assert not gradients[:, :2].any() and gradients[:, 2].any(), (
        "without heads nothing of a or b arrives"
    )


def test_a_hook_that_fails_leaves_none_behind(cached):
    def fails(activation, hook):
        raise RuntimeError("mine")

    with pytest.raises(RuntimeError, match="mine"):
        cached.with_hooks((POST, fails)).logits  # noqa: B018
    assert not any(point.fwd_hooks for point in cached.model.hook_dict.values())


def test_a_hook_that_never_runs_is_an_error(cached):
    with pytest.raises(
        ValueError,
        match="editing this activation would do nothing|has no activation 'result'",
    ):
        cached.with_hooks(("result", zero)).logits  # noqa: B018


def test_a_model_for_another_p_is_refused(cached):
    for other in (tasks.modular_addition(11), tasks.modular_addition(5)):
        with pytest.raises(
            ValueError,
            match=(
                f"needs a model with d_vocab = {other.d_vocab}, and this one has 8; was it "
                "trained for another p"
            ),
        ):
            CachedModel(cached.model, other)


def test_an_output_for_the_equals_sign_is_left_out(small_task):
    config = dataclasses.replace(SMALL_MODEL.for_task(small_task), d_vocab_out=8)
    model = models.build(config)
    cached = CachedModel(model, small_task)
    assert torch.allclose(
        cached.logits.flatten(0, 1), model(small_task.tokens)[:, -1, :7], atol=1e-6
    )


def test_two_layers_need_the_layer_named(small_task):
    model = models.build(dataclasses.replace(SMALL_MODEL.for_task(small_task), n_layers=2))
    cached = CachedModel(model, small_task)
    with pytest.raises(
        ValueError,
        match=(
            "'post' is ambiguous, say which layer: blocks.0.mlp.hook_post, blocks.1.mlp.hook_post"
        ),
    ):
        cached.activation("post")
    assert not torch.allclose(cached.activation("post", 0), cached.activation("post", 1))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_results_stay_on_the_models_device(small_task):
    model = models.build(SMALL_MODEL.for_task(small_task), device="cuda")
    cached = CachedModel(model, small_task)
    assert (
        cached.logits.is_cuda
        and cached.task.labels.is_cuda
        and cached.activation("post", 0).is_cuda
    )


def test_values_at_a_position_or_all_of_them(cached):
    """What is written is read back there; the others stay."""
    before = cached.activation("resid_pre", 0, pos=None).clone()
    first = torch.rand(7, 7, SMALL_MODEL.d_model)
    changed = cached.with_values({"resid_pre": first}, pos=0)
    assert changed.activation("resid_pre", 0, pos=0).equal(first)
    assert changed.activation("resid_pre", 0, pos=None)[:, :, 1:].equal(before[:, :, 1:])
    everywhere = torch.rand(7, 7, 3, SMALL_MODEL.d_model)
    assert (
        cached.with_values({"resid_pre": everywhere}, pos=None)
        .activation("resid_pre", 0, pos=None)
        .equal(everywhere)
    )
    with pytest.raises(
        ValueError, match=r"has shape \(7, 7, 3, 16\) on the grid, got \(7, 7, 16\)"
    ):
        cached.with_values({"resid_pre": first}, pos=None)


class Parallel(nn.Module):
    """As torch's DataParallel holds a model."""

    def __init__(self, module):
        super().__init__()
        self.module = module


class Compiled(nn.Module):
    """As torch.compile does."""

    def __init__(self, module):
        super().__init__()
        self._orig_mod = module


@of_hooked_transformer
@pytest.mark.usefixtures("as_a_user")
@pytest.mark.parametrize(
    ("wrong", "error", "message"),
    [
        (
            lambda m, t: (nn.Linear(2, 2), t),
            TypeError,
            "got Linear: models.from_weights makes a model from weights",
        ),
        (
            lambda m, t: (m.state_dict(), t),
            TypeError,
            "got OrderedDict: models.from_weights",
        ),
        (lambda m, t: ("runs/mine", t), TypeError, r"got str: .*Run.load\(path\) reads a run"),
        (lambda m, t: (Parallel(m), t), TypeError, "got Parallel: pass its .module"),
        (lambda m, t: (m, None), TypeError, r"a model needs its task: CachedModel\(model, task\)"),
        (lambda m, t: (m, t.tokens), TypeError, "expected the model's task, .* got Tensor"),
        (lambda m, t: (m, 7), TypeError, "expected the model's task, .* got int"),
        (lambda m, t: (copy.deepcopy(m).to("meta"), t), ValueError, "on the device meta, where"),
    ],
)
def test_what_is_no_model_or_no_task_is_refused(cached, small_task, wrong, error, message):
    with pytest.raises(error, match=message):
        CachedModel(*wrong(cached.model, small_task))


def test_a_run_is_seen_on_another_task_and_a_compiled_model_as_it_is(small_run, small_task):
    other = dataclasses.replace(small_task, train_mask=~small_task.train_mask)
    assert CachedModel(small_run, other).task.train_mask.equal(~small_task.train_mask)
    model = small_run.model()
    compiled = CachedModel(Compiled(model), small_task)
    assert compiled.logits.equal(CachedModel(model, small_task).logits)
    assert compiled.W_L.equal(CachedModel(model, small_task).W_L)


@pytest.mark.usefixtures("as_a_user")
@pytest.mark.parametrize(
    "hook", ["post", zero, ("post",), (lambda name: True, zero), ("post", 3), [("post", zero), 1]]
)
def test_what_is_no_hook_is_refused(cached, hook):
    with pytest.raises(TypeError, match="a hook is a pair of an activation's name and a function"):
        cached.with_hooks(hook)


def test_hooks_come_as_transformer_lens_takes_them(cached):
    expected = cached.with_hooks((POST, zero), ("z", zero)).logits
    for hooks in ([(POST, zero), ("z", zero)], ((POST, zero), ("z", zero))):
        assert cached.with_hooks(hooks).logits.equal(expected)
