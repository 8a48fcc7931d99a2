import math

import pytest
import torch

from interp_utils.analysis import circuits
from tests.planted import random


def test_head_circuits_are_products_of_weights():
    W_E, W_V, W_O, W_in = (
        random(5, 6),
        random(2, 6, 3, seed=1),
        random(2, 3, 6, seed=2),
        random(6, 4, seed=3),
    )
    W_Q, W_K, query = random(2, 6, 3, seed=4), random(2, 6, 3, seed=5), random(6, seed=6)
    ov = circuits.ov_to_neurons(W_E, W_V, W_O, W_in)
    scores = circuits.attention_scores(query, W_E, W_Q, W_K)
    for head in range(2):
        assert torch.allclose(ov[head], W_E @ W_V[head] @ W_O[head] @ W_in)
        assert torch.allclose(
            scores[head], (query @ W_Q[head]) @ (W_E @ W_K[head]).T / math.sqrt(3)
        )


def eye(n):
    return torch.eye(n, dtype=torch.float64)


def shift(n):
    return eye(n).roll(1, 1)


@pytest.mark.parametrize(
    ("OV", "score", "rate"),
    [
        (eye(7), 1, 1),
        (-eye(7), -1, 0),
        (shift(7), 0, 0),
        (shift(2), 0, 0),
        (eye(7) - 2 * torch.diag(eye(7)[0]), 5 / 7, 6 / 7),
    ],
    ids=["identity", "minus identity", "cyclic shift", "swap", "copies all but one"],
)
def test_planted_copying(OV, score, rate):
    n = len(OV)
    assert circuits.copying_score(eye(n), OV, eye(n), eye(n)) == pytest.approx(score, abs=1e-12)
    circuit = circuits.ov_circuit(eye(n), OV, eye(n), eye(n))
    assert circuits.copy_rate(circuit) == pytest.approx(rate)
    assert circuits.trace_share(circuit) == pytest.approx(
        score, abs=1e-12
    )  # OV is normal here: singular values are |eigenvalues|


def weights(heads=2, vocab=9, vocab_out=7, d_model=6, d_head=3):
    W_E, W_V = random(vocab, d_model), random(heads, d_model, d_head, seed=1)
    return W_E, W_V, random(heads, d_head, d_model, seed=2), random(d_model, vocab_out, seed=3)


OPTIONS = [{}, {"tokens": range(5)}, {"centre": True}, {"direct": True}, {"sum_heads": True}]
OPTIONS.append({"tokens": [4, 2, 6], "centre": True, "direct": True, "sum_heads": True})


@pytest.mark.parametrize("options", OPTIONS, ids=lambda options: "+".join(options) or "plain")
def test_copying_score_is_that_of_the_full_vocabulary_matrix(options):
    """Literally: build M, take its eigenvalues. W_E has 9 rows and W_U 7 columns, as with special
    tokens that are never predicted.
    """
    W_E, W_V, W_O, W_U = weights()
    tokens = list(options.get("tokens", range(7)))
    M = torch.stack([W_E @ W_V[h] @ W_O[h] @ W_U for h in range(2)])
    M = M.sum(0, keepdim=True) if options.get("sum_heads") else M
    M = M + W_E @ W_U if options.get("direct") else M
    M = M[:, tokens][:, :, tokens]
    M = M - M.mean(-1, keepdim=True) if options.get("centre") else M
    circuit = circuits.ov_circuit(W_E, W_V, W_O, W_U, **options)
    assert torch.allclose(circuit.matrix, M.squeeze(0) if options.get("sum_heads") else M)
    assert torch.allclose(circuit.diagonal, circuit.matrix.diagonal(dim1=-2, dim2=-1))
    measured = [
        circuits.copying_score(W_E, W_V, W_O, W_U, **options),
        circuits.copy_rate(circuit, k=2),
        circuits.diagonal_z_score(circuit),
        circuits.trace_share(circuit),
    ]
    scores, rates, z_scores, shares = (
        torch.as_tensor(x, dtype=torch.float64).reshape(-1) for x in measured
    )
    for m, score, rate, z, share in zip(M, scores, rates, z_scores, shares, strict=True):
        eigenvalues = torch.linalg.eigvals(m)
        assert score.item() == pytest.approx(
            (eigenvalues.sum() / eigenvalues.abs().sum()).real.item(), abs=1e-6
        )
        assert rate.item() == sum(i in m[i].topk(2).indices for i in range(len(m))) / len(m)
        assert z.item() == pytest.approx(
            sum((m[i, i] - m[i].mean()) / m[i].std(correction=0) for i in range(len(m))).item()
            / len(m)
        )
        assert share.item() == pytest.approx(
            (m.trace() / torch.linalg.matrix_norm(m, "nuc")).item()
        )


def test_scores_do_not_depend_on_the_basis_inside_a_head():
    W_E, W_V, W_O, W_U = weights()
    change = random(2, 3, 3, seed=9)
    changed = W_V @ change, torch.linalg.inv(change) @ W_O
    assert torch.allclose(
        circuits.copying_score(W_E, W_V, W_O, W_U), circuits.copying_score(W_E, *changed, W_U)
    )
    W_K = random(2, 6, 3, seed=4)
    inverse = torch.linalg.inv(change).mT
    assert torch.allclose(
        circuits.matching_score(W_E, W_V, W_K),
        circuits.matching_score(W_E, W_V @ change, W_K @ inverse),
    )


def test_centring_ignores_what_softmax_ignores():
    W_E, W_V, W_O, W_U = weights()
    shifted = W_U + random(6, 1, seed=5)
    plain = circuits.copying_score(W_E, W_V, W_O, W_U)
    assert not torch.allclose(plain, circuits.copying_score(W_E, W_V, W_O, shifted))
    centred = circuits.copying_score(W_E, W_V, W_O, W_U, centre=True)
    assert torch.allclose(centred, circuits.copying_score(W_E, W_V, W_O, shifted, centre=True))


def test_one_head_gives_a_number_and_a_dead_one_nan():
    W_E, W_V, W_O, W_U = weights()
    one = circuits.copying_score(W_E, W_V[0], W_O[0], W_U)
    assert isinstance(one, float) and one == pytest.approx(
        circuits.copying_score(W_E, W_V, W_O, W_U)[0].item()
    )
    dead = circuits.ov_circuit(W_E, 0 * W_V[0], W_O[0], W_U)
    assert circuits.copy_rate(dead) == 0
    assert all(
        math.isnan(score(dead))
        for score in (circuits.eigenvalue_score, circuits.diagonal_z_score, circuits.trace_share)
    )


def test_random_weights_do_not_copy():
    W_E, W_V, W_O, W_U = weights(heads=200, vocab=30, vocab_out=30, d_model=20, d_head=8)
    scores = circuits.copying_score(W_E, W_V, W_O, W_U)
    assert abs(scores.mean()) < 0.05 and 0.1 < scores.std() < 0.5


def test_matching_is_attention_to_the_same_token():
    assert circuits.matching_score(eye(5), eye(5), eye(5)) == pytest.approx(1)
    assert circuits.matching_score(eye(5), shift(5), eye(5)) == pytest.approx(0, abs=1e-12)
    W_E, W_Q, W_K = random(5, 6), random(2, 6, 3, seed=1), random(2, 6, 3, seed=2)
    scores = circuits.qk_circuit(W_E, W_Q, W_K).matrix
    assert torch.allclose(scores[1], (W_E @ W_Q[1]) @ (W_E @ W_K[1]).T / math.sqrt(3))


def test_tokens_must_be_in_both_vocabularies():
    with pytest.raises(
        ValueError,
        match=r"tokens must be some of 0 .. 6, those that both rows and columns have, got \[7\]",
    ):
        circuits.copying_score(*weights(), tokens=[7])
    with pytest.raises(
        ValueError, match="sum_heads needs weights of shape head x d_model x d_head, got \\(6, 3\\)"
    ):
        W_E, W_V, W_O, W_U = weights()
        circuits.copying_score(W_E, W_V[0], W_O[0], W_U, sum_heads=True)


def test_folded_layer_norm_equals_layer_norm():
    x, gain, W = random(10, 6), random(6, seed=1), random(2, 6, 3, seed=2)
    normed = torch.nn.functional.layer_norm(x, (6,), weight=gain, eps=0)
    scaled = x / x.std(1, correction=0, keepdim=True)
    assert torch.allclose(normed @ W, scaled @ circuits.fold_layer_norm(W, gain))
