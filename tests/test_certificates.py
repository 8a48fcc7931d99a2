"""Proofs by the rank of the read-out: sound on any network, tight on planted ones."""

import pytest
import torch

from interp_utils.analysis import certificates
from interp_utils.analysis.group_structure import describe
from interp_utils.group_tables import group_table
from tests import planted, planted_groups


def literal(neurons, logits, W_L, labels, rank):
    """One input and one other class after the other."""
    W = W_L - W_L.mean(1, keepdim=True)
    U, S, Vh = torch.linalg.svd(W, full_matrices=False)
    R = W - (U[:, :rank] * S[:rank]) @ Vh[:rank]
    mean = neurons.mean(0)
    found = []
    for x, own, label in zip(neurons, logits, labels.tolist(), strict=True):
        deviation = x - mean
        exact = own - deviation @ R
        found.append(
            all(
                exact[label] - exact[c] > deviation.norm() * (R[:, label] - R[:, c]).norm() + 1e-6
                for c in range(len(own))
                if c != label
            )
        )
    return torch.tensor(found)


def network(seed, n=40, m=7, c=5):
    neurons = planted.random(n, m, seed=seed).relu()
    W_L = planted.random(m, c, seed=seed + 1) * torch.tensor([3.0, 2.0, 1.0, 0.1, 0.1])
    logits = neurons @ W_L + 0.3 * planted.random(n, c, seed=seed + 2)
    noise = 0.5 * planted.random(n, c, seed=seed + 3)
    return neurons, logits, W_L, (logits + noise).argmax(1)


@pytest.mark.parametrize("seed", range(5))
def test_as_written_and_sound(seed):
    of = network(10 * seed)
    _, logits, _, labels = of
    right = logits.argmax(1) == labels
    assert not right.all() and right.any()
    for rank in range(6):
        found = certificates.certified(*of, rank)
        assert found.equal(literal(*of, min(rank, 5)))
        assert not (found & ~right).any(), "what is wrong is never proved"
    assert found.equal(right), "at full rank every pair is computed"
    rank = certificates.proof_rank(*of, share=1.0)
    assert certificates.certified(*of, rank).sum() == right.sum()
    assert certificates.certified(*of, rank - 1).sum() < right.sum()


@pytest.mark.parametrize("share", [0.5, 0.8, 1.0])
@pytest.mark.parametrize("seed", range(3))
def test_the_least_rank_whichever_inputs_are_looked_at_first(share, seed, monkeypatch):
    of = network(10 * seed)
    proved = [int(certificates.certified(*of, rank).sum()) for rank in range(6)]
    least = next(rank for rank in range(6) if proved[rank] >= share * proved[5])
    for at_a_time in (1, 7, 1000):
        monkeypatch.setattr(certificates, "AT_A_TIME", at_a_time)
        assert certificates.proof_rank(*of, share=share) == least


def test_it_is_sound_for_a_read_out_that_is_none():
    """Wrong weights prove less, and nothing that is false."""
    neurons, logits, W_L, labels = network(0)
    other = planted.random(*W_L.shape, seed=99)
    for rank in range(6):
        found = certificates.certified(neurons, logits, other, labels, rank)
        assert not (found & (logits.argmax(1) != labels)).any()


def circles(p, keys):
    """Neurons cos, sin w_k (a + b), read out by cos, sin w_k c."""
    s = planted.labels(p).flatten()
    angles = torch.stack([planted.angle(p, k) * s for k in keys], 1)
    angles = angles.double()
    read = torch.stack([planted.angle(p, k) * planted.numbers(p) for k in keys]).double()
    neurons = torch.cat([angles.cos(), angles.sin()], 1)
    W_L = torch.cat([read.cos(), read.sin()])
    return neurons, neurons @ W_L, W_L, s


@pytest.mark.parametrize("keys", [[2], [1, 4], [1, 3, 5]])
def test_a_planted_clock_takes_two_directions_for_each_frequency(keys):
    neurons, logits, W_L, labels = circles(13, keys)
    assert certificates.proof_rank(neurons, logits, W_L, labels) == 2 * len(keys)
    wrong = (labels + 1) % 13
    assert certificates.proof_rank(neurons, logits, W_L, wrong) is None


def test_a_pair_that_is_broken_is_not_proved_and_the_others_are():
    neurons, logits, W_L, labels = circles(13, [1, 4])
    broken = logits.clone()
    broken[5, (labels[5] + 1) % 13] += 100
    found = certificates.certified(neurons, broken, W_L, labels, 4)
    assert not found[5] and found.sum() == len(labels) - 1


@pytest.mark.parametrize(("name", "irrep", "orbit", "rank"), [("S4", "standard", 4, 9)])
def test_a_planted_rho_set_takes_the_square_of_its_dimension(name, irrep, orbit, rank):
    group = describe(group_table(name))
    net = planted_groups.rho_set_network(group, irrep, orbit)
    of = (net.pre.relu().flatten(0, 1), net.logits.flatten(0, 1), net.W_L, group.table.flatten())
    assert certificates.proof_rank(*of) == rank


def test_what_is_no_rank_no_share_and_no_class_is_refused():
    of = network(0)
    with pytest.raises(ValueError, match="rank must be in 0 .. 5, got 6"):
        certificates.certified(*of, 6)
    with pytest.raises(ValueError, match="share must be above 0"):
        certificates.proof_rank(*of, share=0.0)
    with pytest.raises(ValueError, match="labels must be classes 0 .. 4"):
        certificates.certified(*of[:3], of[3] + 3, 2)
