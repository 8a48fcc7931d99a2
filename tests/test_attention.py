"""Attention by token and by rank against loops, and on patterns with a known answer."""

import pytest
import torch

from interp_utils import tasks
from interp_utils.analysis import attention

TASKS = {
    "fixed": tasks.sorting(16, 5),
    "variable": tasks.sorting(20, (2, 7)),
    "repeats": tasks.sorting(12, 6, repeats=True),
}


def planted(batch, rank=0):
    """Looks at the list element `rank` places after the answer in sorted order, and evenly at
    everything where there is none.
    """
    n, ctx = batch.tokens.shape
    pattern = torch.full((n, 1, ctx, ctx), 1 / ctx)
    for i in range(n):
        ordered = batch.labels[i][batch.asked[i]].tolist()
        for place, query in enumerate(batch.asked[i].nonzero()[:, 0].tolist()):
            if 0 <= place + rank < len(ordered):
                key = batch.tokens[i, 1:].tolist().index(ordered[place + rank]) + 1
                pattern[i, 0, query] = torch.nn.functional.one_hot(torch.tensor(key), ctx)
    return pattern


@pytest.mark.parametrize("name", TASKS)
def test_against_loops(name):
    task = TASKS[name]
    batch = task.batch(0, 6)
    pattern = torch.rand(
        6,
        2,
        task.n_ctx,
        task.n_ctx,
        generator=torch.Generator().manual_seed(0),
        dtype=torch.float64,
    )
    found = attention.by_token(pattern, batch.tokens, batch.asked, task.d_vocab)
    rows, wins, ranks = [], [], {}
    for i in range(6):
        ordered = batch.labels[i][batch.asked[i]].tolist()
        for place, query in enumerate(batch.asked[i].nonzero()[:, 0].tolist()):
            received = torch.zeros(2, task.d_vocab, dtype=torch.float64)
            for key, token in enumerate(batch.tokens[i].tolist()):
                received[:, token] += pattern[i, :, query, key]
            rows.append(received)
            wins.append(received.argmax(1) == ordered[place])
            for other, element in enumerate(ordered):
                ranks.setdefault(other - place, []).append(
                    received[:, element] / ordered.count(element)
                )
    assert torch.allclose(found, torch.stack(rows))
    share = attention.attends_to_answer(pattern, batch.tokens, batch.labels, task.d_vocab)
    assert torch.allclose(share, torch.stack(wins).double().mean(0))
    offsets, means = attention.by_rank(pattern, batch.tokens, batch.labels, task.d_vocab)
    assert offsets.tolist() == list(range(min(ranks), max(ranks) + 1))
    assert torch.allclose(
        means, torch.stack([torch.stack(ranks[o]).mean(0) for o in offsets.tolist()])
    )


def test_planted_heads():
    batch = TASKS["fixed"].batch(0, 20)
    looks_at_answer, looks_beyond = planted(batch), planted(batch, rank=1)
    d_vocab = TASKS["fixed"].d_vocab
    assert (
        attention.attends_to_answer(looks_at_answer, batch.tokens, batch.labels, d_vocab).item()
        == 1
    )
    assert (
        attention.attends_to_answer(looks_beyond, batch.tokens, batch.labels, d_vocab).item() < 0.1
    )
    offsets, means = attention.by_rank(looks_at_answer, batch.tokens, batch.labels, d_vocab)
    assert torch.allclose(means[:, 0], (offsets == 0).float())
    offsets, means = attention.by_rank(looks_beyond, batch.tokens, batch.labels, d_vocab)
    assert (
        means[offsets == 1].item() == pytest.approx(1)
        and means[:, 0].argmax() == (offsets == 1).nonzero().item()
    )


def test_uniform_attention_finds_no_answer_and_nothing_asked_is_an_error():
    batch, d_vocab = TASKS["fixed"].batch(0, 20), TASKS["fixed"].d_vocab
    even = torch.ones(20, 1, batch.n_ctx, batch.n_ctx) / batch.n_ctx
    only_list = even.clone()
    only_list[:, :, :, 6:] = 0  # of the list and START, each once
    assert attention.attends_to_answer(only_list, batch.tokens, batch.labels, d_vocab).item() == 0
    with pytest.raises(ValueError, match="no position is asked"):
        attention.attends_to_answer(even, batch.tokens, -torch.ones_like(batch.labels), d_vocab)
