"""What is left of a model's answer on a group with only its key irreps, and without them.

Chughtai et al. 2023, sections 5 and 6. Logits are "x y z" on a group of |G| elements, hidden
activations "x y neuron"; labels and masks over the |G|^2 pairs, x-major; losses in nats. Keys are
rows of `Irreps`. Levels:

"characters": coefficients of X_r(x y z^-1) in the logits, one number for each irrep.
"isotypic":   P_r on the mean of the logits over x o y = g, as a function of g for each z. On C_n it
              is the variant "sum" of `progress`.
"hidden":     the same on the hidden activations, read out by W_L = W_out W_U.

All levels average over the pairs of one product, and so use the labels: a memoriser can look good.
Show them beside test accuracy and the share of variance explained.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

from jaxtyping import Bool, Float, Int
from torch import Tensor

from interp_utils.analysis.characters import Irreps
from interp_utils.analysis.isotypic import energies, projectors
from interp_utils.analysis.progress import mean_loss
from interp_utils.group_tables import inverses
from interp_utils.precision import exactly

Level = Literal["characters", "isotypic"]
KEY_SIMILARITY = 0.005  # Chughtai et al. 2023, released code


@exactly
def by_product(grid: Float[Tensor, "x y ..."], table: Int[Tensor, "g g"]) -> Tensor:
    """Mean over all pairs with x o y = g; Float "g ...".

    Raises ValueError for a grid of another group's size.
    """
    n = len(table)
    if grid.shape[:2] != (n, n):
        raise ValueError(f"expected a tensor on the pairs of {n} elements, got {tuple(grid.shape)}")
    sums = grid.new_zeros(grid.shape[1:])
    return sums.index_add_(0, table.flatten(), grid.flatten(0, 1)) / n


class CharacterFit(NamedTuple):
    """For every irrep: cosine similarity of the logits, centred over z, with X(x y z^-1), and the
    coefficient of X in the logits.
    """

    similarity: Float[Tensor, "irrep"]
    coefficient: Float[Tensor, "irrep"]

    @property
    def variance_explained(self) -> float:
        """Sum of squared similarities of the non-trivial irreps."""
        return self.similarity[1:].square().sum().item()


@exactly
def character_fit(
    logits: Float[Tensor, "x y z"], table: Int[Tensor, "g g"], irreps: Irreps
) -> CharacterFit:
    """How far the logits are made of characters of x y z^-1.

    l(g) is the mean of the centred logits over x y z^-1 = g, coefficient <l, X> / <X, X>, and
    similarity |G| <l, X> / (sqrt(<X, X>) |logits|). Zero logits give NaN.
    """
    n = len(table)
    _check_logits(logits, n)
    centred = logits - logits.mean(2, keepdim=True)
    means = by_product(centred, table)
    quotient = table[:, inverses(table)]  # s z^-1 "s z"
    profile = means.new_zeros(n).index_add_(0, quotient.flatten(), means.flatten()) / n
    X = irreps.characters
    inner, squares = X @ profile, X.square().sum(1)
    return CharacterFit(n * inner / (squares.sqrt() * centred.norm()), inner / squares)


@exactly
def key_irreps(
    logits: Float[Tensor, "x y z"],
    table: Int[Tensor, "g g"],
    irreps: Irreps,
    *,
    threshold: float = KEY_SIMILARITY,
) -> list[int]:
    """The non-trivial irreps whose similarity in the logits is above the threshold, in order."""
    similarity = character_fit(logits, table, irreps).similarity
    return [row for row in range(1, len(similarity)) if similarity[row] > threshold]


@exactly
def logit_shares(
    logits: Float[Tensor, "x y z"], table: Int[Tensor, "g g"], irreps: Irreps
) -> Float[Tensor, "irrep"]:
    """Share of the logits' variance over pairs that is a function of x o y in each irrep.

    |G| |P_r Lbar|^2 / |L - mean over pairs|^2, Lbar[g, z] the mean over x o y = g. Shares add to 1
    only where the logits depend on x o y alone. The trivial irrep has 0.
    """
    _check_logits(logits, len(table))
    centred = logits - logits.mean((0, 1))
    energy = energies(by_product(centred, table), table, irreps).sum(1)
    return len(table) * energy / centred.square().sum()


@exactly
def product_part(
    grid: Float[Tensor, "x y out"], table: Int[Tensor, "g g"], irreps: Irreps, keys: Sequence[int]
) -> Float[Tensor, "x y out"]:
    """The part of a grid that is a function of x o y in the key irreps: sum of (P_r means)[x o y].

    Raises ValueError for keys that are not rows of the irreps.
    """
    check_keys(irreps, keys)
    projector = projectors(table, irreps)[list(keys)].sum(0)
    kept = projector @ by_product(grid, table)
    return kept[table]


@exactly
def character_part(
    logits: Float[Tensor, "x y z"], table: Int[Tensor, "g g"], irreps: Irreps, keys: Sequence[int]
) -> Float[Tensor, "x y z"]:
    """Sum over the keys of coefficient X(x y z^-1)."""
    check_keys(irreps, keys)
    fit = character_fit(logits, table, irreps)
    X = irreps.characters[list(keys)]
    of_quotient = fit.coefficient[list(keys)] @ X
    quotient = table[:, inverses(table)]
    return of_quotient[quotient][table]


@exactly
def restrict(
    logits: Float[Tensor, "x y z"],
    table: Int[Tensor, "g g"],
    irreps: Irreps,
    keys: Sequence[int],
    *,
    level: Level = "isotypic",
) -> Float[Tensor, "x y z"]:
    """The logits with only the key irreps. The mean over pairs is kept at the level "isotypic", and
    not at the level "characters".
    """
    if level == "characters":
        return character_part(logits, table, irreps, keys)
    _check_level(level)
    return logits.mean((0, 1)) + product_part(logits, table, irreps, keys)


@exactly
def exclude(
    logits: Float[Tensor, "x y z"],
    table: Int[Tensor, "g g"],
    irreps: Irreps,
    keys: Sequence[int],
    *,
    level: Level = "isotypic",
) -> Float[Tensor, "x y z"]:
    """The logits without the key irreps."""
    if level == "characters":
        return logits - character_part(logits, table, irreps, keys)
    _check_level(level)
    return logits - product_part(logits, table, irreps, keys)


class Losses(NamedTuple):
    """Restricted loss over all pairs, and excluded loss over the pairs of a mask, in nats."""

    restricted: float
    excluded: float


@exactly
def losses(
    logits: Float[Tensor, "x y z"],
    labels: Int[Tensor, "n"],
    table: Int[Tensor, "g g"],
    irreps: Irreps,
    keys: Sequence[int],
    *,
    mask: Bool[Tensor, "n"] | None = None,
    level: Level = "isotypic",
) -> Losses:
    """Loss with only the key irreps, over all pairs, and loss without them, over those of the mask
    (None: all).
    """
    return Losses(
        mean_loss(restrict(logits, table, irreps, keys, level=level), labels),
        mean_loss(exclude(logits, table, irreps, keys, level=level), labels, mask=mask),
    )


@exactly
def hidden_losses(
    hidden: Float[Tensor, "x y neuron"],
    W_L: Float[Tensor, "neuron z"],
    labels: Int[Tensor, "n"],
    table: Int[Tensor, "g g"],
    irreps: Irreps,
    keys: Sequence[int],
    *,
    mask: Bool[Tensor, "n"] | None = None,
) -> Losses:
    """`losses` of hidden activations, read out by W_L alone. With H = sum of (P_r means)[x o y],
    the restricted logits are H W_L, and the excluded ones are (hidden - H) W_L.
    """
    whole = hidden @ W_L
    kept = product_part(whole, table, irreps, keys)  # means and projectors commute with W_L
    return Losses(mean_loss(kept, labels), mean_loss(whole - kept, labels, mask=mask))


def check_keys(irreps: Irreps, keys: Sequence[int]) -> None:
    """Raises ValueError unless keys are different rows of the irreps."""
    rows = len(irreps.names)
    if len(set(keys)) != len(keys) or any(not 0 <= key < rows for key in keys):
        raise ValueError(f"key irreps must be different rows 0 .. {rows - 1}, got {list(keys)}")


def _check_logits(logits: Tensor, n: int) -> None:
    if logits.shape != (n, n, n):
        raise ValueError(
            f"logits on a group of {n} elements are of shape ({n}, {n}, {n}), got "
            f"{tuple(logits.shape)}"
        )


def _check_level(level: str) -> None:
    if level != "isotypic":
        raise ValueError(f'level must be "characters" or "isotypic", got {level!r}')
