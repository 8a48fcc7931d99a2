"""Characters of a finite group from its multiplication table alone.

Elements are indices, table[x, y] = x o y. Every table is checked (`group_tables.check_table`), and
so is every result: orthogonality of rows and columns, integer dimensions, sum of d^2 = |G|.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Bool, Complex, Int
from torch import Tensor

from interp_utils.group_tables import check_table, group_table, identity, inverses
from interp_utils.precision import exactly

TOLERANCE = 1e-9
DRAWS = 200
LETTERS = "abcdefghijklmnopqrstuvwxyz"


class Irreps(NamedTuple):
    """The real blocks of a group: its irreps over the reals, with conjugate pairs merged.

    names:      trivial; partitions' names for S3, S4, S5; "k = 3" for frequencies of C_n and
                D_n; else the dimension and a letter.
    characters: Float "irrep g": X = chi, or chi + conj chi for a pair.
    dimensions: Int "irrep": d of chi.
    indicators: Int "irrep": Frobenius-Schur, 1 real, 0 a pair of complex ones, -1 quaternionic.
    """

    names: tuple[str, ...]
    characters: Tensor
    dimensions: Tensor
    indicators: Tensor

    @property
    def ranks(self) -> Int[Tensor, "irrep"]:
        """Dimension of each block in the functions on the group: d^2, or 2 d^2 for a pair."""
        return self.dimensions.square() * torch.where(self.indicators == 0, 2, 1)

    def index(self, name: str) -> int:
        """The row of the irrep of this name. Raises ValueError, naming all irreps."""
        if name not in self.names:
            raise ValueError(f"this group has no irrep {name!r}; it has {', '.join(self.names)}")
        return self.names.index(name)


@exactly
def trivial_on(irreps: Irreps, elements: Int[Tensor, "n"]) -> Bool[Tensor, "irrep"]:
    """Which irreps send all of these elements to the identity matrix: where the character of each
    is that of the identity, the largest.
    """
    return (irreps.characters[:, elements] > irreps.characters.amax(1, keepdim=True) - 1e-6).all(1)


@exactly
def conjugacy_classes(table: Int[Tensor, "g g"]) -> Int[Tensor, "g"]:
    """The class of every element; classes are numbered in the order of their smallest elements."""
    check_table(table)
    conjugates = table[table, inverses(table)[:, None]]  # x y x^-1 "x y"
    smallest = conjugates.amin(0)
    return torch.unique(smallest, return_inverse=True)[1]


@exactly
def complex_characters(table: Int[Tensor, "g g"]) -> Complex[Tensor, "irrep g"]:
    """All irreducible characters, trivial first, then by dimension; complex128.

    With (M_i)_jk = #{x in C_i, y in C_j : x y = g_k}, the vector w_k = |C_k| chi(C_k) / d is a
    common eigenvector of all M_i. A random combination sum of c_i M_i with c_i = conj(c_i'), i' the
    class of inverses, scaled by S = diag(sqrt |C_k|), is Hermitian; its orthonormal eigenvectors
    are sqrt(|C_k| / |G|) chi(C_k) (Burnside and Dixon).
    Raises ValueError where the table is not a group's.
    """
    n = check_table(table)
    classes, inverse, e = conjugacy_classes(table), inverses(table), identity(table)
    sizes = torch.bincount(classes).double()
    n_classes = len(sizes)
    first = torch.stack([(classes == k).nonzero()[0, 0] for k in range(n_classes)])
    x = table[first[:, None], inverse]  # x = g_k y^-1 "k y"
    counts = torch.zeros(n_classes, n_classes, n_classes, dtype=torch.float64)
    k = torch.arange(n_classes)[:, None].expand_as(x)
    ones = torch.ones(x.shape, dtype=torch.float64)
    counts.index_put_((classes[x], classes.expand_as(x), k), ones, accumulate=True)
    vectors = _common_eigenvectors(counts, sizes, classes[inverse[first]])
    w = sizes.sqrt()[:, None] * vectors
    w = w / w[classes[e]]
    d = (n / (w.abs().square() / sizes[:, None]).sum(0)).sqrt()
    chi = ((d.round() * w) / sizes[:, None]).T[:, classes]  # "irrep g"
    _check_characters(chi, d, n)
    return chi[_order(chi.real, d.round())]


def _common_eigenvectors(counts: Tensor, sizes: Tensor, of_inverse: Tensor) -> Tensor:
    """The eigenvectors as columns. Of a few random combinations, the one whose eigenvalues are
    furthest apart gives them.
    """
    random = torch.Generator().manual_seed(0)
    scaled = counts * sizes.sqrt() / sizes.sqrt()[:, None]
    best, widest = None, 0.0
    for draw in range(DRAWS):
        real, imaginary = torch.randn(2, len(sizes), generator=random, dtype=torch.float64)
        c = torch.complex(real, imaginary) / sizes
        c = c + c[of_inverse].conj()
        values, vectors = torch.linalg.eigh(torch.einsum("i,ijk->jk", c, scaled.to(c.dtype)))
        gap = values.diff().min().item() if len(values) > 1 else 1.0
        if gap > widest:
            best, widest = vectors, gap
        if widest > 1e-6 and draw >= 4:
            return best
    raise ArithmeticError(f"no combination of class sums in {DRAWS} tells all irreps apart")


def _check_characters(chi: Tensor, d: Tensor, n: int) -> None:
    """The theorems that every character table fulfils."""
    gram = chi @ chi.conj().T / n
    columns = chi.T @ chi.conj()  # |G| / |C| within a class, 0 between classes
    same = (columns.real > 0.5).double()
    expected = same * (n / same.sum(1))[:, None]
    errors = {
        "dimensions are integers": (d - d.round()).abs().max(),
        "rows are orthonormal": (gram - torch.eye(len(chi))).abs().max(),
        "columns are orthogonal": (columns - expected).abs().max() / n,
        "the squares of the dimensions add to |G|": (d.round().square().sum() - n).abs(),
    }
    for theorem, error in errors.items():
        if not error < TOLERANCE:
            raise ArithmeticError(
                f"in the character table of a group, {theorem}; in this one that is off by "
                f"{error:.1e}: check that the multiplication table is a group's"
            )


def _order(profiles: Tensor, dimensions: Tensor) -> Tensor:
    """The trivial irrep first, then by dimension, then by chi(g) / d from large to small over g."""
    relative = (profiles / dimensions[:, None]).mul(1e6).round()
    keys = [(d, *(-row).tolist()) for d, row in zip(dimensions.tolist(), relative, strict=True)]
    return torch.tensor(sorted(range(len(keys)), key=keys.__getitem__))


@exactly
def real_irreps(table: Int[Tensor, "g g"]) -> Irreps:
    """The real blocks of a group, trivial first, then by dimension (`Irreps`).

    Indicators are nu = mean over g of chi(g^2); a pair of conjugate characters (nu = 0) is one
    block X = chi + conj chi: frequency k of C_n, with k in order.
    """
    chi = complex_characters(table)
    square = table.diagonal()
    nu = chi[:, square].mean(1).real.round().long()
    kept: list[int] = []
    for row in range(len(chi)):
        earlier = [k for k in kept if (chi[k] - chi[row].conj()).abs().max() < 1e-6]
        if nu[row] != 0 or not earlier:
            kept.append(row)
    e = identity(table)
    characters = torch.where(nu[kept, None] == 0, 2 * chi[kept].real, chi[kept].real)
    dimensions = chi[kept][:, e].real.round().long()
    order = _order(characters / characters[:, [e]] * dimensions[:, None], dimensions.double())
    characters, dimensions = characters[order], dimensions[order]
    names = _names(table, characters, dimensions)
    return Irreps(names, characters, dimensions, nu[torch.tensor(kept)][order])


def _names(table: Tensor, characters: Tensor, dimensions: Tensor) -> tuple[str, ...]:
    known = _symmetric_names(table, characters, dimensions) or _ordered_names(table, dimensions)
    if known is not None:
        return known
    names, seen = ["trivial"], dict.fromkeys(dimensions.tolist(), 0)
    for place, d in enumerate(dimensions.tolist()[1:], 1):
        names.append(f"{d}{LETTERS[seen[d]]}" if seen[d] < len(LETTERS) else f"{d}.{place}")
        seen[d] += 1
    return tuple(names)


def _ordered_names(table: Tensor, dimensions: Tensor) -> tuple[str, ...] | None:
    """Names for C_n and D_n as `group_tables.group_table` makes them: their blocks are in the order
    of k.
    """
    n, flat = len(table), (dimensions == 1).sum().item()
    if table.equal(group_table(f"C{n}")):
        return ("trivial", *(f"k = {k}" for k in range(1, len(dimensions))))
    if n % 2 == 0 and n > 4 and table.equal(group_table(f"D{n // 2}")):
        one_dimensional = ("trivial", *(f"1{letter}" for letter in LETTERS[: flat - 1]))
        return one_dimensional + tuple(f"k = {k + 1}" for k in range(len(dimensions) - flat))
    return None


# The irreps of S3, S4 and S5 by dimension and character of a transposition.
PARTITIONS = {
    (6, 3): {(1, 1): "trivial", (1, -1): "sign", (2, 0): "standard"},
    (24, 6): {
        (1, 1): "trivial",
        (1, -1): "sign",
        (2, 0): "2d",
        (3, 1): "standard",
        (3, -1): "standard_sign",
    },
    (120, 10): {
        (1, 1): "trivial",
        (1, -1): "sign",
        (4, 2): "standard",
        (4, -2): "standard_sign",
        (5, -1): "5a",
        (5, 1): "5b",
        (6, 0): "6d",
    },
}


def _symmetric_names(
    table: Tensor, characters: Tensor, dimensions: Tensor
) -> tuple[str, ...] | None:
    """Names by the class of transpositions: the class of involutions with the right number."""
    e, classes = identity(table), conjugacy_classes(table)
    sizes = torch.bincount(classes)[classes]
    for (order, transpositions), names in PARTITIONS.items():
        if order != len(table):
            continue
        squares = table.diagonal() == e
        found = (squares & (sizes == transpositions) & (torch.arange(order) != e)).nonzero()
        if len(found):
            values = characters[:, found[0, 0]].round().long().tolist()
            keys = list(zip(dimensions.tolist(), values, strict=True))
            if sorted(keys) == sorted(names):
                return tuple(names[key] for key in keys)
    return None
