"""CachedModel: a model and its task. Every input is run once; what was asked for stays on the
model's device.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from interp_utils.models.bridge import Hook, faithful_hooks, hook_names, is_bridge
from interp_utils.tasks import Sequences, Task

Key = tuple[
    str, int | None
]  # what is kept: an activation's full name, or "logits", and its position
Edit = tuple[
    str, Callable | tuple[Tensor, int | None]
]  # a hook, or the values to put in place, a row per input, and the position
At = int | None | Literal["answer"]  # a position; None for all; "answer" for where the task is read

# Where each activation has its positions; every other is "batch pos ...".
QUERY_AXIS = {"pattern": 2, "attn_scores": 2}


class CachedModel:
    """Logits and activations of a HookedTransformer or TransformerBridge on all inputs of a task,
    computed when first asked for and kept.

    Results come on the task's grid, "a b ...", at the position where the answer is read, on the
    model's device: the last one for a `Task`, all of them for `Sequences`, e.g. the test lists of a
    sorting task. New weights, or hooks added to the model, empty the cache by themselves.

    memory: bytes that one pass may take beside its results; inputs are run in batches of that size.
    Raises ValueError if the model has other tokens or classes than the task.
    """

    def __init__(
        self,
        model: nn.Module,
        task: Task | Sequences,
        *,
        memory: int = 2**30,
        edits: Sequence[Edit] = (),
    ) -> None:
        if not hasattr(task, "answer_pos"):
            raise TypeError(
                f"{task.name} draws its inputs: pass a set of them, task.test or task.validation"
            )
        classes = sum(task.n_classes)
        fitting = {
            "n_ctx": range(task.n_ctx, 2**31),
            "d_vocab": [task.d_vocab],
            "d_vocab_out": [classes, task.d_vocab],
        }
        for name, sizes in fitting.items():
            if getattr(model.cfg, name) not in sizes:
                raise ValueError(
                    f"{task.name} needs a model with {name} = {sizes[0]}, this one has "
                    f"{getattr(model.cfg, name)}; "
                    f"was it trained for another p, or another task?"
                )
        self.model = model
        self.memory = memory
        self.names = hook_names(model) if is_bridge(model) else list(model.hook_dict)
        self.edits: tuple[Edit, ...] = tuple((self._hook_name(name), edit) for name, edit in edits)
        self.device = next(model.parameters()).device
        self.task = task.to(self.device)
        self._kept: dict[Key, Tensor] = {}
        self._model_state: tuple = ()

    @property
    def logits(self) -> Float[Tensor, "*grid c"]:
        """Logits of the task's classes; a model's outputs beyond them (one for "=", say) are left
        out.
        """
        return self._get(("logits", self.task.answer_pos))

    def activation(
        self, name: str, layer: int | None = None, pos: At = "answer"
    ) -> Float[Tensor, "..."]:
        """An activation by TransformerLens's short name ("post", layer 0) or full one
        ("blocks.0.mlp.hook_post").

        pos: a position, None for all of them, or "answer" for where the task is read.
        "pattern" and "attn_scores" come as "a b head key", for the query at `pos`.
        Raises ValueError for a name that the model does not have (with near names), or a position
        out of range.
        """
        return self._get(
            (self._hook_name(name, layer), self.task.answer_pos if pos == "answer" else pos)
        )

    def fetch(self, *names: tuple[str, int] | str) -> None:
        """Computes several activations in one pass: fetch(("post", 0), ("pattern", 0))."""
        full = [
            self._hook_name(*name) if isinstance(name, tuple) else self._hook_name(name)
            for name in names
        ]
        self._compute([(name, self.task.answer_pos) for name in full])

    def with_hooks(self, *hooks: Hook) -> CachedModel:
        """The same model as it runs with these hooks, e.g. an ablation; the model itself keeps none
        of them.

        with_hooks(("blocks.0.mlp.hook_post", lambda post, hook: 0 * post)).logits
        """
        return CachedModel(self.model, self.task, memory=self.memory, edits=(*self.edits, *hooks))

    def with_values(self, values: Mapping[str, Tensor], pos: At = "answer") -> CachedModel:
        """The same model with activations replaced by values on the grid, {name: "a b ..."}, of the
        shape that `activation` has at `pos`.

        with_values({"blocks.0.mlp.hook_post": approximated_post}).logits. Edits apply in the order
        they were asked for.
        Raises ValueError for values of another shape.
        """
        edits: list[Edit] = []
        for name, value in values.items():
            expected = self.activation(name, pos=pos).shape
            if value.shape != expected:
                raise ValueError(
                    f"{self._hook_name(name)} has shape {tuple(expected)} on the grid, got "
                    f"{tuple(value.shape)}"
                )
            place = self.task.answer_pos if pos == "answer" else pos
            edits.append((name, (value.flatten(0, 1) if self.task.grid else value, place)))
        return CachedModel(self.model, self.task, memory=self.memory, edits=(*self.edits, *edits))

    @torch.inference_mode(False)
    @torch.enable_grad()
    def embedding_gradients(
        self, inputs: Int[Tensor, "n"], classes: Int[Tensor, "n"]
    ) -> Float[Tensor, "n ctx d_model"]:
        """Gradient of each input's logit of one class by the embeddings of its tokens, before
        positions are added.
        """
        embedded: list[Tensor] = []

        def keep(embedding: Tensor, hook: nn.Module) -> Tensor:
            embedded.append(embedding.detach().requires_grad_())
            return embedded[0]

        with self.model.hooks(
            fwd_hooks=[(self._hook_name("embed"), keep), *self._hooks(inputs)[0]]
        ):
            logits = self.model(self.task.tokens[inputs.to(self.device)])[:, self.task.answer_pos]
        asked = logits.gather(1, classes.to(self.device, copy=True)[:, None])
        return torch.autograd.grad(asked.sum(), embedded)[0]

    def _get(self, key: Key) -> Tensor:
        self._forget_if_changed()
        if key not in self._kept:
            self._compute([key])
        return self._kept[key]

    def _forget_if_changed(self) -> None:
        state = _fingerprint(self.model)
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
        names = {name for name, _ in keys} - {"logits"}
        parts: dict[Key, list[Tensor]] = {key: [] for key in keys}
        ran: set[str] = set()
        for inputs in torch.arange(len(self.task), device=self.device).split(self._batch_size()):
            tokens = self.task.tokens[inputs]
            hooks, kept = self._hooks(inputs, names)
            with self.model.hooks(
                fwd_hooks=[(name, _noting(ran, name, hook)) for name, hook in hooks]
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
                    f"so that reading or editing it would do nothing"
                )
            for name, pos in keys:
                value = logits if name == "logits" else cache[name]
                parts[name, pos].append(_at_position(value, name, pos).clone())
        for key in keys:
            whole = torch.cat(parts.pop(key))
            if key[0] == "logits":
                whole = whole[..., : sum(self.task.n_classes)]
            self._kept[key] = whole.unflatten(0, self.task.grid) if self.task.grid else whole
        self._model_state = _fingerprint(
            self.model
        )  # a bridge adds hooks of its own in its first pass

    def _hooks(
        self, inputs: Tensor, names: Iterable[str] = ()
    ) -> tuple[list[Hook], dict[str, Tensor]]:
        """The edits as hooks for a pass over some of the inputs, and where the pass puts
        activations that a cache would have wrong.
        """
        rows = inputs.to(self.device)
        hooks = [
            (name, _setting(name, edit[0][rows], edit[1]) if isinstance(edit, tuple) else edit)
            for name, edit in self.edits
        ]
        return faithful_hooks(self.model, hooks, names) if is_bridge(self.model) else (hooks, {})

    def _batch_size(self) -> int:
        """Inputs per pass: a generous count of the floats that a forward holds at once for one
        input.
        """
        cfg = self.model.cfg
        per_position = (
            12 * cfg.d_model + 4 * cfg.n_heads * cfg.d_head + 3 * (cfg.d_mlp or 0) + cfg.d_vocab_out
        )
        ctx = self.task.n_ctx
        floats = cfg.n_layers * ctx * (per_position + 3 * cfg.n_heads * ctx)
        return max(1, self.memory // (4 * floats))

    def _hook_name(self, name: str, layer: int | None = None) -> str:
        """The full name of a hook; short names are what follows "hook_"."""
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


def _noting(ran: set[str], name: str, hook: Callable) -> Callable:
    """The same hook, which leaves its name in `ran`."""

    def noting(activation: Tensor, *, hook: nn.Module, own: Callable = hook) -> Tensor | None:
        ran.add(name)
        return own(activation, hook=hook)

    return noting


def _setting(name: str, value: Tensor, pos: int | None) -> Callable:
    """A hook that writes a value at a position, or at all of them."""

    def setting(activation: Tensor, hook: nn.Module) -> Tensor:
        changed = activation.clone()
        _at_position(changed, name, pos).copy_(value)
        return changed

    return setting


def _at_position(x: Tensor, name: str, pos: int | None) -> Tensor:
    if pos is None:
        return x
    axis = QUERY_AXIS.get(name.rpartition("hook_")[2], 1)
    if not -x.shape[axis] <= pos < x.shape[axis]:
        raise ValueError(f"{name} has {x.shape[axis]} positions, got pos = {pos}")
    return x.select(axis, pos)


def _fingerprint(model: nn.Module) -> tuple:
    """Changes with any weight, however it was written, and with any hook that is added or "
    "removed."""
    hooks = tuple(
        (name, *module._forward_hooks, *module._forward_pre_hooks)
        for name, module in model.named_modules()
        if module._forward_hooks or module._forward_pre_hooks
    )
    sums = torch.stack([_checksum(tensor) for tensor in (*model.parameters(), *model.buffers())])
    return hooks, tuple(sums.tolist())


@torch.no_grad()
def _checksum(x: Tensor) -> Tensor:
    """Sum of bit patterns, each times an odd number of its place: sees a changed value and a
    changed order.
    """
    integer = {1: torch.int8, 2: torch.int16, 4: torch.int32, 8: torch.int64}[x.element_size()]
    bits = x.detach().flatten().view(integer).to(torch.int64)
    return (bits * (2 * torch.arange(bits.numel(), device=x.device) + 1)).sum()
