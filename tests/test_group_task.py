"""Group composition as a task."""

import dataclasses

import pytest
import torch

from interp_utils import CachedModel, ModelConfig, Run, TrainConfig, models, tasks, train
from interp_utils.analysis.group_structure import describe
from interp_utils.group_tables import group_table
from tests import planted_groups

TINY_SIZES = {"d-model": 8, "n-heads": 2, "d-head": 4, "d-mlp": 8, "steps": 2}
TINY = ModelConfig(d_model=16, n_heads=2, d_head=8, d_mlp=16)


@pytest.mark.parametrize("split", ["random", "paper", "grokking_demo"])
def test_the_cyclic_group_is_modular_addition(split):
    own = tasks.group_composition("C113", frac_train=0.3, split=split)
    addition = tasks.modular_addition(113, frac_train=0.3, split=split)
    for name in ("tokens", "labels", "train_mask"):
        assert getattr(own, name).equal(getattr(addition, name))
    assert (own.grid, own.n_classes, own.d_vocab) == (addition.grid, (113,), 114)
    assert own.as_sums().labels.equal(addition.as_sums().labels)


def test_labels_are_the_table_and_tokens_end_in_equals():
    task = tasks.group_composition("S4", frac_train=0.6, seed=3)
    assert task.labels.view(24, 24).equal(group_table("S4"))
    assert (task.tokens[:, 2] == 24).all() and task.tokens[5 * 24 + 7].tolist() == [5, 7, 24]
    assert task.train_mask.sum() == int(0.6 * 576)
    assert task.operation is None and task.p == 24


def test_a_table_does_as_well_as_a_name():
    table = group_table("S3")
    for given in (table, table.to(torch.int16), table.numpy()):
        task = tasks.group_composition(given, frac_train=0.5)
        assert task.labels.equal(table.flatten())
    table = table.clone()
    table[4, 2] = 9
    with pytest.raises(ValueError, match="not closed: 4 o 2 = 9"):
        tasks.group_composition(table)
    with pytest.raises(ValueError, match="a group's name is"):
        tasks.group_composition("Z7")


def test_a_control_keeps_the_table_of_the_group_that_it_is_no_task_of():
    task = tasks.random_labels(tasks.group_composition("S3", frac_train=0.5))
    assert task.table.equal(group_table("S3"))
    assert not task.labels.equal(task.table.flatten())


def test_a_run_stores_the_table(tmp_path):
    task = tasks.group_composition("S3", frac_train=0.5, seed=1)
    run = train(task, TINY, TrainConfig(steps=2), out=tmp_path / "run", progress=False)
    restored = Run.load(run.path).task
    assert isinstance(restored, tasks.GroupComposition)
    assert restored.table.equal(task.table) and restored.labels.equal(task.labels)
    again = train(task, TINY, TrainConfig(steps=2), out=tmp_path / "run", progress=False)
    assert again.steps == run.steps


def test_a_model_of_the_transposed_convention_is_read_on_its_own_table():
    table = group_table("S3")
    q = planted_groups.inner_quotients(table.T)
    assert (q[torch.arange(6)[:, None], torch.arange(6), table.T] == 0).all()
    task = tasks.group_composition(table.T, frac_train=0.5)
    assert task.labels.view(6, 6).equal(table.T)
    model = CachedModel(models.build(TINY.for_task(task)), task)
    assert model.logits.shape == (6, 6, 6) and model.W_L.shape == (16, 6)
    assert describe(task.table).irreps.names == ("trivial", "sign", "standard")


def test_the_train_pairs_of_a_model_from_elsewhere_can_be_given_or_unknown():
    task = tasks.group_composition("S3", train=[[0, 1], [2, 3]])
    assert task.train_mask.nonzero().flatten().tolist() == [1, 15]
    unknown = tasks.group_composition("S3", train="unknown")
    with pytest.raises(ValueError, match="unknown"):
        _ = unknown.test_mask


def test_a_group_task_of_other_sizes_is_refused():
    task = tasks.group_composition("S3", frac_train=0.5)
    with pytest.raises(ValueError, match="a group of 24 elements has a grid"):
        tasks.GroupComposition(
            **{
                **{name: getattr(task, name) for name in ("name", "tokens", "labels")},
                "train_mask": task.train_mask,
                "n_classes": task.n_classes,
                "d_vocab": task.d_vocab,
                "operands": task.operands,
                "table": group_table("S4"),
            }
        )


def test_the_command_line_takes_a_groups_name():
    from interp_utils.cli import constructors, spelling

    assert "group_composition" in constructors.constructors()
    assert spelling.read(spelling.typed(str | torch.Tensor), "S3") == "S3"
    assert spelling.typed(int) is int and spelling.typed(torch.Tensor) is torch.Tensor


def test_a_group_is_trained_from_the_command_line(tmp_path, capsys):
    from interp_utils.cli import main

    sizes = [f"--{name}={value}" for name, value in TINY_SIZES.items()]
    out = ["--out", str(tmp_path / "run")]
    run = ["train", "group_composition", "--group", "S3", "--quiet", *out]
    assert main([*run, *sizes]) == 0
    assert Run.load(tmp_path / "run").task.table.equal(group_table("S3"))
    arguments = ["train", "group_composition", "--group", "S9", "--out", str(tmp_path / "x")]
    assert main(arguments) != 0


def test_a_group_has_the_name_that_its_table_has_and_no_other():
    named = tasks.group_composition("S3", 0.6)
    assert named.group == "S3" and tasks.random_labels(named).group == "S3"
    assert tasks.group_composition(group_table("S3"), 0.6).group == "a group of 6 elements"
    described = dataclasses.replace(named, params=named.params | {"group": "C6"})
    assert described.group == "S3", "what people read decides nothing"
    assert dataclasses.replace(named, group="C6").group == "a group of 6 elements"
    read = tasks.GroupComposition.restore(described.about(), named.tensors())
    assert read.group == "a group of 6 elements", "nor does a manifest that was edited"
