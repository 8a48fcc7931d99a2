"""Logits and activations of a model on all inputs of a task. Every input is run once, and what was
asked for stays on the model's device.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from interp_utils.models.bridge import Hook, faithful_hooks, hook_names, is_bridge
from interp_utils.models.passes import (
    at_position,
    fingerprint,
    noting,
    require_fit,
    require_model_and_task,
    setting,
)
from interp_utils.tasks import Sequences, Task

Key = tuple[str, int | None]  # an activation's full name, or "logits", and the position kept
# A hook; or values that replace an activation, one row per input, and their position.
Edit = tuple[str, Callable | tuple[Tensor, int | None]]
At = int | None | Literal["answer"]  # a position; None: all; "answer": where the answer is read


class Activations:
    """What a `CachedModel` computes and keeps; see that class."""

    def __init__(
        self,
        model: Any,
        task: Task | Sequences | None = None,
        *,
        memory: int = 2**27,
        edits: Sequence[Edit] = (),
    ) -> None:
        if hasattr(model, "raw_metrics"):  # a run
            task = model.task if task is None else task
            model = model.model()
        model = getattr(model, "_orig_mod", model)  # of torch.compile
        require_model_and_task(model, task)
        require_fit(model, task)
        self.model: nn.Module = model
        self.memory = memory
        self.names = hook_names(model) if is_bridge(model) else list(model.hook_dict)
        self.edits: tuple[Edit, ...] = tuple((self.hook_name(name), edit) for name, edit in edits)
        self.device = next(model.parameters()).device
        self.task = task.a_major().to(self.device)
        classes = range(sum(task.n_classes))
        self._outputs = torch.tensor(list(task.outputs or classes), device=self.device)
        self._kept: dict[Key, Tensor] = {}
        self._model_state: tuple = ()

    @property
    def logits(self) -> Float[Tensor, "*grid c"]:
        """Logits of the task's classes, in their order. Other outputs of the model (one for "=",
        say) are left out.
        """
        return self._get(("logits", self.task.answer_pos))

    def activation(
        self, name: str, layer: int | None = None, pos: At = "answer"
    ) -> Float[Tensor, "..."]:
        """An activation by TransformerLens's short name ("post", layer 0) or full one
        ("blocks.0.mlp.hook_post").

        pos: a position, None for all positions, or "answer" for where the answer is read.
        "pattern" and "attn_scores" ("softmax" of simplified blocks) have axes "a b head key", for
        the query at `pos`.
        Raises ValueError for a name that the model does not have (with near names), or a position
        out of range.
        """
        place = self.task.answer_pos if pos == "answer" else pos
        return self._get((self.hook_name(name, layer), place))

    def fetch(self, *names: tuple[str, int] | str) -> None:
        """Computes several activations in one pass: fetch(("post", 0), ("pattern", 0))."""
        full = [
            self.hook_name(*name) if isinstance(name, tuple) else self.hook_name(name)
            for name in names
        ]
        self._compute([(name, self.task.answer_pos) for name in full])

    @torch.no_grad()
    def logits_of(self, inputs: Int[Tensor, "k"]) -> Float[Tensor, "k c"]:
        """Logits of some inputs alone, by their rows in the grid's order; nothing is kept."""
        inputs = inputs.to(self.device)
        with self.model.hooks(fwd_hooks=self._hooks(inputs)[0]):
            logits = self.model(self.task.tokens[inputs])
        return at_position(logits, "logits", self.task.answer_pos)[..., self._outputs]

    def _get(self, key: Key) -> Tensor:
        self._forget_if_changed()
        if key not in self._kept:
            self._compute([key])
        return self._kept[key]

    def _forget_if_changed(self) -> None:
        state = fingerprint(self.model)
        if state != self._model_state:
            self._kept, self._model_state = {}, state

    @torch.no_grad()
    def _compute(self, keys: Sequence[Key]) -> None:
        self._forget_if_changed()
        keys = [
            key
            for key in dict.fromkeys([("logits", self.task.answer_pos), *keys])
            if key not in self._kept
        ]
        if not keys:
            return
        names = {name for name, _ in keys} - {"logits"}
        parts: dict[Key, list[Tensor]] = {key: [] for key in keys}
        ran: set[str] = set()
        for inputs in torch.arange(len(self.task), device=self.device).split(self._batch_size()):
            tokens = self.task.tokens[inputs]
            hooks, kept = self._hooks(inputs, names)
            with self.model.hooks(
                fwd_hooks=[(name, noting(ran, name, hook)) for name, hook in hooks]
            ):
                logits, cache = self.model.run_with_cache(
                    tokens, names_filter=lambda name: name in names, return_cache_object=False
                )
            cache = {**cache, **kept}
            silent = [
                name for name in (*names, *dict(hooks)) if name not in cache and name not in ran
            ]
            if silent:
                raise ValueError(
                    f"the model does not compute {silent[0]} as it is configured "
                    "(model.cfg.use_attn_result and the like), "
                    f"so reading or editing this activation would do nothing"
                )
            for name, pos in keys:
                value = logits if name == "logits" else cache[name]
                parts[name, pos].append(at_position(value, name, pos).clone())
        for key in keys:
            whole = torch.cat(parts.pop(key))
            if key[0] == "logits":
                whole = whole[..., self._outputs]
            self._kept[key] = whole.unflatten(0, self.task.grid) if self.task.grid else whole
        # A bridge adds hooks of its own in its first pass.
        self._model_state = fingerprint(self.model)

    def _hooks(
        self, inputs: Tensor, names: Iterable[str] = ()
    ) -> tuple[list[Hook], dict[str, Tensor]]:
        """The edits as hooks for a pass over some of the inputs, and the dict into which the pass
        puts activations that a cache would have wrong.
        """
        rows = inputs.to(self.device)
        hooks: list[Hook] = []
        for name, edit in self.edits:
            if isinstance(edit, tuple):
                values, pos = edit
                edit = setting(name, values[rows], pos)
            hooks.append((name, edit))
        return faithful_hooks(self.model, hooks, names) if is_bridge(self.model) else (hooks, {})

    def _batch_size(self) -> int:
        """Inputs per pass, by a generous count of the floats that a forward holds at once for one
        input.
        """
        cfg = self.model.cfg
        per_position = (
            12 * cfg.d_model + 4 * cfg.n_heads * cfg.d_head + 3 * (cfg.d_mlp or 0) + cfg.d_vocab_out
        )
        ctx = self.task.n_ctx
        floats = cfg.n_layers * ctx * (per_position + 3 * cfg.n_heads * ctx)
        return max(1, self.memory // (4 * floats))

    def hook_name(self, name: str, layer: int | None = None) -> str:
        """The full name of a hook. A short name is the part after "hook_"."""
        known = self.names
        if name in known and (layer is None or f"blocks.{layer}." in name):
            return name
        block = f"blocks.{layer}." if layer is not None else ""
        fitting = [
            full for full in known if full.rpartition("hook_")[2] == name and full.startswith(block)
        ]
        if len(fitting) == 1:
            return fitting[0]
        asked = repr(name) + ("" if layer is None else f" in layer {layer}")
        if fitting:
            raise ValueError(f"{asked} is ambiguous, say which layer: {', '.join(fitting)}")
        shorts = {full.rpartition("hook_")[2] for full in known}
        near = difflib.get_close_matches(name.rpartition("hook_")[2], shorts, n=4, cutoff=0.4)
        raise ValueError(
            f"this model has no activation {asked}; near names: "
            f"{', '.join(near) or ', '.join(sorted(shorts))}"
        )
