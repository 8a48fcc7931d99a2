"""What heads read, attend to and write: products of weights (Elhage et al. 2021), and scores of
these products.

Weights are in HookedTransformer's orientation (inputs first): a circuit's rows are what is read,
its columns what is written. Leading head axes are allowed throughout.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from einops import einsum
from jaxtyping import Complex, Float
from torch import Tensor

from interp_utils import devices
from interp_utils.precision import at_least_float32


@at_least_float32
def ov_to_neurons(
    W_E: Float[Tensor, "p d_model"],
    W_V: Float[Tensor, "head d_model d_head"],
    W_O: Float[Tensor, "head d_head d_model"],
    W_in: Float[Tensor, "d_model neuron"],
) -> Float[Tensor, "head p neuron"]:
    """W_E W_V W_O W_in: what each token sends to each neuron if a head attends to it (Nanda et al.
    2023, W_neur).
    """
    return einsum(W_E @ W_V, W_O @ W_in, "head p d, head d neuron -> head p neuron")


@at_least_float32
def attention_scores(
    query: Float[Tensor, "d_model"],
    keys: Float[Tensor, "p d_model"],
    W_Q: Float[Tensor, "head d_model d_head"],
    W_K: Float[Tensor, "head d_model d_head"],
) -> Float[Tensor, "head p"]:
    """Score of each token for one query, divided by sqrt(d_head). query: embedding plus position of
    "="; keys: the same for each number.
    """
    return einsum(query @ W_Q, keys @ W_K, "head d, head p d -> head p") / W_Q.shape[-1] ** 0.5


class Factored(NamedTuple):
    """The matrix A B, kept as its factors because its rank r is far below its size; leading axes
    (heads) are allowed.
    """

    A: Float[Tensor, "*head row r"]
    B: Float[Tensor, "*head r column"]

    @property
    def matrix(self) -> Float[Tensor, "*head row column"]:
        return self.A @ self.B

    @property
    def eigenvalues(self) -> Complex[Tensor, "*head r"]:
        """The eigenvalues of A B, except zeros, from the smaller B A (complex128, in no order)."""
        return torch.linalg.eigvals(devices.double(self.B) @ devices.double(self.A))

    @property
    def diagonal(self) -> Float[Tensor, "*head row"]:
        return einsum(self.A, self.B, "... row r, ... r row -> ... row")


@at_least_float32
def ov_circuit(
    W_E: Float[Tensor, "vocab d_model"],
    W_V: Float[Tensor, "*head d_model d_head"],
    W_O: Float[Tensor, "*head d_head d_model"],
    W_U: Float[Tensor, "d_model vocab_out"],
    *,
    tokens: Sequence[int] | None = None,
    centre: bool = False,
    direct: bool = False,
    sum_heads: bool = False,
) -> Factored:
    """W_E W_V W_O W_U: what attending to each token (row) adds to each token's logit (column)
    (Elhage et al. 2021).

    tokens:    rows and columns to keep; None is every token that is both read and predicted, the
               first min(vocab, vocab_out).
    centre:    subtract each row's mean over the tokens that are kept, which does not change the
               softmax over these tokens.
    direct:    add the path around attention, W_E W_U.
    sum_heads: one circuit, the sum over the head axis.
    With LayerNorm, fold it into the weights first: `fold_layer_norm`.
    Raises ValueError for a token that is not in both vocabularies, or sum_heads where there is no
    head axis.
    """
    W_E, W_U = _of_tokens(W_E, W_U.T, tokens)
    W_U = W_U.T
    if centre:
        W_U = W_U - W_U.mean(1, keepdim=True)
    A, B = W_E @ W_V, W_O @ W_U
    if sum_heads:
        if W_V.ndim != 3:
            raise ValueError(
                f"sum_heads needs weights of shape head x d_model x d_head, got {tuple(W_V.shape)}"
            )
        A, B = A.permute(1, 0, 2).flatten(1), B.flatten(0, 1)
    if direct:
        A, B = (
            torch.cat([A, W_E.expand(*A.shape[:-1], -1)], -1),
            torch.cat([B, W_U.expand(*B.shape[:-2], -1, -1)], -2),
        )
    return Factored(A, B)


@at_least_float32
def qk_circuit(
    W_E: Float[Tensor, "vocab d_model"],
    W_Q: Float[Tensor, "*head d_model d_head"],
    W_K: Float[Tensor, "*head d_model d_head"],
    *,
    tokens: Sequence[int] | None = None,
) -> Factored:
    """W_E W_Q W_K^T W_E^T / sqrt(d_head): the attention score of each key token (column) for each
    query token (row), without positions.
    """
    W_E, _ = _of_tokens(W_E, W_E, tokens)
    return Factored(W_E @ W_Q / W_Q.shape[-1] ** 0.5, (W_E @ W_K).mT)


@at_least_float32
def eigenvalue_score(circuit: Factored) -> float | Float[Tensor, "*head"]:
    """sum of eigenvalues / sum of their absolute values, in [-1, 1]: 1 if all are positive, -1 if
    all are negative.

    The numerator is the trace, so a positive score means copying on average, not copying of every
    token (Elhage et al. 2021). NaN for a circuit that is zero.
    """
    eigenvalues = circuit.eigenvalues
    score = eigenvalues.real.sum(-1) / eigenvalues.abs().sum(-1)
    return _by_head(score)


@at_least_float32
def copying_score(
    W_E: Float[Tensor, "vocab d_model"],
    W_V: Float[Tensor, "*head d_model d_head"],
    W_O: Float[Tensor, "*head d_head d_model"],
    W_U: Float[Tensor, "d_model vocab_out"],
    *,
    tokens: Sequence[int] | None = None,
    centre: bool = False,
    direct: bool = False,
    sum_heads: bool = False,
) -> float | Float[Tensor, "*head"]:
    """`eigenvalue_score` of the `ov_circuit`: whether a head that attends to a token raises the
    logit of that token.
    """
    circuit = ov_circuit(
        W_E, W_V, W_O, W_U, tokens=tokens, centre=centre, direct=direct, sum_heads=sum_heads
    )
    return eigenvalue_score(circuit)


@at_least_float32
def matching_score(
    W_E: Float[Tensor, "vocab d_model"],
    W_Q: Float[Tensor, "*head d_model d_head"],
    W_K: Float[Tensor, "*head d_model d_head"],
    *,
    tokens: Sequence[int] | None = None,
) -> float | Float[Tensor, "*head"]:
    """`eigenvalue_score` of the `qk_circuit`: whether a head attends from a token to the same
    token.
    """
    return eigenvalue_score(qk_circuit(W_E, W_Q, W_K, tokens=tokens))


@at_least_float32
def copy_rate(circuit: Factored, k: int = 1) -> float | Float[Tensor, "*head"]:
    """Share of the tokens (rows) whose own column is among the k largest of its row (Wang et al.
    2022 with k = 5).

    A tie does not count as copying, so a circuit that is zero copies nothing.
    """
    matrix = circuit.matrix
    ahead = (matrix >= matrix.diagonal(dim1=-2, dim2=-1)[..., None]).sum(-1) - 1
    rate = devices.double(ahead < k).mean(-1)
    return _by_head(rate)


@at_least_float32
def diagonal_z_score(circuit: Factored) -> float | Float[Tensor, "*head"]:
    """Mean over rows of the diagonal entry's distance from its row's mean, in the row's standard
    deviations; NaN for constant rows.
    """
    matrix = devices.double(circuit.matrix)
    z = (matrix.diagonal(dim1=-2, dim2=-1) - matrix.mean(-1)) / matrix.std(-1, correction=0)
    score = z.mean(-1)
    return _by_head(score)


@at_least_float32
def trace_share(circuit: Factored) -> float | Float[Tensor, "*head"]:
    """trace / nuclear norm, in [-1, 1]: 1 only for a positive semidefinite matrix. Unlike
    eigenvalues, singular values of a matrix that is far from symmetric stay large, so this is the
    stricter score. NaN for a circuit that is zero.
    """
    A, B = devices.double(circuit.A), devices.double(circuit.B)
    small = torch.linalg.qr(A).R @ torch.linalg.qr(B.mT).R.mT
    share = devices.double(circuit.diagonal).sum(-1) / torch.linalg.svdvals(small).sum(-1)
    return _by_head(share)


@at_least_float32
def fold_layer_norm(
    W: Float[Tensor, "*head d_model out"], gain: Float[Tensor, "d_model"]
) -> Float[Tensor, "*head d_model out"]:
    """W with LayerNorm's gain and centring folded in: it reads a residual stream that has only been
    scaled.

    LN(x) W = (x / std(x)) fold_layer_norm(W, gain) + bias W (Elhage et al. 2021; TransformerLens's
    fold_ln).
    """
    gained = gain[:, None] * W
    return gained - gained.mean(-2, keepdim=True)


def _by_head(values: Tensor) -> float | Tensor:
    """A number for one head, a tensor for a head axis."""
    return values if values.ndim else values.item()


def _of_tokens(W_E: Tensor, W_out: Tensor, tokens: Sequence[int] | None) -> tuple[Tensor, Tensor]:
    both = min(len(W_E), len(W_out))
    if tokens is None:
        return W_E[:both], W_out[:both]
    chosen = torch.as_tensor(list(tokens), device=W_E.device)
    if not len(chosen) or chosen.min() < 0 or chosen.max() >= both:
        raise ValueError(
            f"tokens must be some of 0 .. {both - 1}, those that both rows and columns have, got "
            f"{list(tokens)[:8]}"
        )
    return W_E[chosen], W_out[chosen]
