"""Two numbers and an answer as the digits of one sequence: with zeros in front, or separators."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Int
from torch import Tensor

from interp_utils.tasks.digits import from_digits, to_digits
from interp_utils.tasks.sequences import NOTHING, Sequences

__all__ = ["Spelling"]


@dataclass(frozen=True)
class Spelling:
    """[a, b, "=", answer], each of `width` digits; or, with separators, [+, a, +, b, +, answer,
    end, end, ...] without zeros in front.

    Each position from "=", or the last +, on is asked for the next token, up to the answer's last
    digit or to the end. Token t < base is the digit t; then come "=" or +, which are one token, and
    the end.
    """

    base: int
    width: int
    separators: bool = False

    @property
    def separator(self) -> int:
        return self.base

    @property
    def end(self) -> int:
        """Raises ValueError without separators: answers end where their last digit stands."""
        if not self.separators:
            raise ValueError("numbers of one width have no end token")
        return self.base + 1

    @property
    def d_vocab(self) -> int:
        return self.base + (2 if self.separators else 1)

    @property
    def n_ctx(self) -> int:
        return 3 * (self.width + 1) if self.separators else 3 * self.width

    def sequences(
        self, name: str, a: Int[Tensor, "n"], b: Int[Tensor, "n"], answer: Int[Tensor, "n"]
    ) -> Sequences:
        """Raises ValueError for a number that does not fit the width."""
        numbers = torch.stack([a, b, answer], 1)
        digits = to_digits(numbers, self.base, self.width)  # "n number width"
        equals = torch.full_like(a, self.separator)[:, None]
        if not self.separators:
            whole = torch.cat([digits[:, :2].flatten(1), equals, digits[:, 2]], 1)
            labels = torch.full_like(whole[:, 1:], NOTHING)
            labels[:, 2 * self.width :] = digits[:, 2]
            return Sequences(name, whole[:, :-1], labels, self.d_vocab)
        n = len(a)
        marked = torch.cat([equals[:, None].expand(n, 3, 1), digits], 2)
        # Zeros in front are left out: all that is kept moves left, in its order.
        kept = (digits != 0).cummax(2).values
        kept[..., -1] = True  # 0 has a digit
        kept = torch.cat([torch.ones(n, 3, 1, dtype=torch.bool), kept], 2).flatten(1)
        order = (~kept).long().argsort(dim=1, stable=True)
        lengths = kept.sum(1, keepdim=True)
        position = torch.arange(self.n_ctx + 1)
        whole = torch.full((n, self.n_ctx + 1), self.end)
        whole[:, :-1] = marked.flatten(1).gather(1, order)
        whole = whole.where(position < lengths, torch.full_like(whole, self.end))
        of_answer = kept[:, 2 * (self.width + 1) :].sum(1, keepdim=True)
        asked = (position >= lengths - of_answer) & (position < lengths)
        labels = torch.where(asked[:, :-1], whole[:, 1:], NOTHING)
        return Sequences(name, whole[:, :-1], labels, self.d_vocab)

    def positions(self, place: int) -> tuple[int, int]:
        """Where the digits of a and of b stand that count base^place. Raises ValueError with
        separators, where it depends on the input, and for a place that numbers of this width do not
        have.
        """
        if self.separators:
            raise ValueError(
                "with separators, numbers have no zeros in front, and a place has no position of "
                "its own: take a task without separators"
            )
        if not 0 <= place < self.width:
            raise ValueError(
                f"numbers of {self.width} digits have places 0 .. {self.width - 1}, got {place}"
            )
        return self.width - 1 - place, 2 * self.width - 1 - place

    def operands(self, sequences: Sequences) -> tuple[Int[Tensor, "n"], Int[Tensor, "n"]]:
        """a and b of each input."""
        tokens = sequences.tokens
        if not self.separators:
            a, b = tokens[:, : 2 * self.width].unflatten(1, (2, self.width)).unbind(1)
            return from_digits(a, self.base), from_digits(b, self.base)
        part = (tokens == self.separator).cumsum(1)
        a, b = torch.zeros_like(tokens[:, 0]), torch.zeros_like(tokens[:, 0])
        for token, of in zip(tokens.unbind(1), part.unbind(1), strict=True):
            is_digit = token < self.base
            a = torch.where(is_digit & (of == 1), a * self.base + token, a)
            b = torch.where(is_digit & (of == 2), b * self.base + token, b)
        return a, b

    def numbers(self, answers: Int[Tensor, "n answer"]) -> Int[Tensor, "n"]:
        """The number that each row of answered tokens spells, from the first that is asked for; -1
        where it spells none. What follows an end token, or `width` digits without separators, is
        not looked at.

        Raises ValueError for fewer tokens than the longest answer has.
        """
        longest = self.width + 1 if self.separators else self.width
        if answers.shape[1] < longest:
            raise ValueError(
                f"an answer has up to {longest} tokens, got {answers.shape[1]} for each input"
            )
        answers = answers[:, :longest]
        is_digit = answers < self.base
        if not self.separators:
            spelled = from_digits(answers.where(is_digit, 0), self.base)
            return spelled.where(is_digit.all(1), -1)
        number, length = torch.zeros_like(answers[:, 0]), is_digit.long().cumprod(1).sum(1)
        for place, token in enumerate(answers.unbind(1)):
            number = torch.where(place < length, number * self.base + token, number)
        ends = answers.gather(1, length.clamp(max=longest - 1)[:, None])[:, 0] == self.end
        return number.where(ends & (length > 0), -1)
