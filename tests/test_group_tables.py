"""Multiplication tables: from names, and refused where they are no group's."""

import itertools

import pytest
import torch

from interp_utils import group_tables
from interp_utils.group_tables import check_table, group_table

ORDERS = {
    "C1": 1, "C7": 7, "D4": 8, "S3": 6, "S_4": 24, "S5": 120, "A4": 12, "A5": 60, "Q8": 8,
    "S3xC3": 18, "C3xC3": 9, "C2xC2xC2": 8, "D59": 118,
}  # fmt: skip


@pytest.mark.parametrize(("name", "order"), ORDERS.items())
def test_a_name_gives_a_group_of_its_order_with_identity_0(name, order):
    table = group_table(name)
    assert check_table(table) == order
    assert group_tables.identity(table) == 0
    assert (table[torch.arange(order), group_tables.inverses(table)] == 0).all()


def test_permutations_compose_second_first():
    permutations = list(itertools.permutations(range(4)))
    table = group_table("S4")
    for x, y in itertools.product(range(0, 24, 5), range(0, 24, 7)):
        product = tuple(permutations[x][permutations[y][i]] for i in range(4))
        assert permutations[table[x, y]] == product


def test_dihedral_relations_hold():
    table, n = group_table("D5"), 5
    r, s = 1, n
    assert table[r, s] == 1 + n, "r^i s^j is element i + n j"
    assert table[table[s, r], s] == n - 1, "s r s = r^-1"


def test_quaternions_multiply_as_hamilton_wrote():
    i, j, k = 2, 4, 6
    table = group_table("Q8")
    assert [table[i, j], table[j, k], table[k, i]] == [k, i, j]
    assert table[j, i] == k + 1 and table[i, i] == table[j, j] == table[k, k] == 1


def test_products_multiply_in_each_place():
    table, S3, C3 = group_table("S3xC3"), group_table("S3"), group_table("C3")
    assert table[4 * 3 + 2, 5 * 3 + 1] == S3[4, 5] * 3 + C3[2, 1]


@pytest.mark.parametrize("name", ["S3xC3", "S5", "Q8", "D15"])
def test_orders_of_elements_divide_that_of_the_group(name):
    table = group_table(name)
    orders = group_tables.element_orders(table)
    assert (len(table) % orders == 0).all() and (orders == 1).sum() == 1


@pytest.mark.parametrize("name", ["S", "F20", "C0", "Q16", "", "S3 x C3", "S3xx", "C07"])
def test_other_names_are_refused(name):
    with pytest.raises(ValueError, match="group"):
        group_table(name)


@pytest.mark.parametrize("name", ["S7", "A7", "C1001", "S9999"])
def test_groups_too_large_are_refused_before_they_are_built(name):
    with pytest.raises(ValueError, match="more than 1000 elements"):
        group_table(name)


def test_what_is_no_table_is_refused(as_a_user):
    with pytest.raises(TypeError, match="holds integers"):
        check_table(group_table("C3").double())
    with pytest.raises(ValueError, match="square, got shape"):
        check_table(torch.zeros(2, 3, dtype=torch.long))
    with pytest.raises(ValueError, match="square, got shape"):
        check_table(torch.zeros(0, 0, dtype=torch.long))


def test_the_entry_that_is_not_closed_is_named():
    table = group_table("S3")
    table[2, 4] = 6
    with pytest.raises(ValueError, match="not closed: 2 o 4 = 6"):
        check_table(table)


def test_a_missing_identity_is_said():
    n = torch.arange(5)
    with pytest.raises(ValueError, match="there is no identity"):
        check_table((n[:, None] - n) % 5)


def test_the_element_without_inverse_is_named():
    n = torch.arange(1, 7)  # products mod 7 of 1 .. 6 are a group, those of 0 .. 6 are none
    check_table((n[:, None] * n) % 7 - 1)
    n = torch.arange(7)
    with pytest.raises(ValueError, match="element 0 has no inverse"):
        check_table((n[:, None] * n) % 7)


def test_the_row_with_an_element_twice_is_named():
    table = group_table("C5")
    table[3, 4] = 4  # for 2; 3 o 1 = 4 is there already
    with pytest.raises(ValueError, match="row 3 has no 2"):
        check_table(table)


def test_the_triple_that_is_not_associative_is_named():
    # A Latin square with identity and inverses, of order 5: the group of order 5 is C5 alone.
    loop = torch.tensor(
        [[0, 1, 2, 3, 4], [1, 0, 3, 4, 2], [2, 4, 0, 1, 3], [3, 2, 4, 0, 1], [4, 3, 1, 2, 0]]
    )
    with pytest.raises(ValueError, match="not associative") as error:
        check_table(loop)
    x, a, y = (int(text) for text in error.value.args[0].split("= ")[0] if text.isdigit())
    assert loop[loop[x, a], y] != loop[x, loop[a, y]], "the triple named is a counter-example"


def test_one_wrong_pair_of_entries_in_a_large_table_is_found():
    table = group_table("S4")
    rows, columns = [7, 12], [3, 9]
    table[rows[0], columns[0]], table[rows[0], columns[1]] = (
        table[rows[0], columns[1]].clone(),
        table[rows[0], columns[0]].clone(),
    )
    with pytest.raises(ValueError, match="row 7 has no|column"):
        check_table(table)
