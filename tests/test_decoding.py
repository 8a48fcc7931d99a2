"""Free-running answers of planted models, beside teacher-forced ones."""

import pytest
import torch
from torch.nn.functional import one_hot

from interp_utils import tasks
from interp_utils.analysis import answers
from interp_utils.analysis.decoding import free_running

TASKS = {
    "fixed width": tasks.gcd(10, 900, n_validation=20, n_test=50, n_gcds=9, per_gcd=4),
    "separators": tasks.gcd(
        6, 900, separators=True, n_validation=20, n_test=50, n_gcds=9, per_gcd=4
    ),
}


def counting(tokens):
    """The next token is the one before, plus one, mod 10."""
    return one_hot((tokens + 1) % 10, 12).double()


def at(logits_of):
    """The same at some places."""
    return lambda tokens, places: logits_of(tokens)[places]


def test_each_answer_is_read_by_the_next():
    tokens = torch.tensor([[7, 3, 0, 0, 0], [1, 1, 8, 5, 5]])
    asked = torch.tensor([[False, True, True, False, False], [False, False, True, True, False]])
    assert free_running(at(counting), tokens, asked).tolist() == [[4, 5, 6], [9, 0, 1]]
    assert tokens.tolist() == [[7, 3, 0, 0, 0], [1, 1, 8, 5, 5]]


@pytest.mark.parametrize("name", TASKS)
def test_an_oracle_is_right_and_a_model_that_reads_on_is_not(name):
    task = TASKS[name]
    sequences, gcds = task.test, task.gcds(task.test)
    right = torch.where(sequences.asked, sequences.labels, 0)

    def oracle(tokens):
        return one_hot(right, task.d_vocab).double()

    def reads_on(tokens):
        """What stands at the next position: the right token, as long as it is there."""
        return one_hot(tokens.roll(-1, 1), task.d_vocab).double()

    found = free_running(at(oracle), sequences.tokens, sequences.asked)
    assert task.spelling.numbers(found).equal(gcds)
    leaked = free_running(at(reads_on), sequences.tokens, sequences.asked)
    assert (task.spelling.numbers(leaked) == gcds).sum() == 0
    # Teacher forcing shows that model nearly all that it is asked.
    forced = answers.sequence_accuracy(reads_on(sequences.tokens), sequences.labels)
    assert forced.token > 0.6


def test_one_wrong_token_spoils_what_follows():
    """A model that continues its own run, off by one at the start: each answer is wrong where only
    the first is when it is shown the right ones.
    """
    tokens = torch.tensor([[0, 3, 5, 6, 7]])
    asked = torch.tensor([[False, True, True, True, False]])
    labels = torch.tensor([[-1, 5, 6, 7, -1]])
    assert answers.sequence_accuracy(counting(tokens), labels).token == pytest.approx(2 / 3)
    assert free_running(at(counting), tokens, asked).tolist() == [[4, 5, 6, 7]]


def test_one_place_of_each_input_is_asked_for_at_a_time():
    tokens = torch.tensor([[7, 3, 0, 0], [1, 1, 8, 5]])
    asked = torch.tensor([[False, True, True, False], [False, False, True, True]])
    seen = []

    def looking_on(tokens, places):
        seen.append(places.nonzero()[:, 1].tolist())
        return counting(tokens)[places]

    free_running(looking_on, tokens, asked)
    assert seen == [[1, 2], [2, 3]]


def test_an_input_that_is_asked_nothing():
    with pytest.raises(ValueError, match="got 1 of 1 inputs that are asked none"):
        free_running(at(counting), torch.tensor([[1, 2]]), torch.tensor([[False, False]]))
