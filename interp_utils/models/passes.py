"""The parts of a CachedModel's pass: whether the model fits the task, hooks that note and set, and
whether the model has changed since the last pass.
"""

from __future__ import annotations

from collections.abc import Callable
from numbers import Integral
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from interp_utils.tasks import Sequences, StreamTask, Task

if TYPE_CHECKING:
    from interp_utils.models.cached import CachedModel

# The axis of positions of each activation; all others are "batch pos ...".
QUERY_AXIS = {"pattern": 2, "attn_scores": 2, "softmax": 2}


def require_model_and_task(model: Any, task: Any) -> None:
    """Raises TypeError/ValueError unless these are a model with hooks and numbers, and its task."""
    if not isinstance(model, nn.Module) or not hasattr(model, "hook_dict"):
        inside = isinstance(getattr(model, "module", None), nn.Module)
        advice = (
            "pass its .module"
            if inside
            else "models.from_weights makes a model from weights, Run.load(path) reads a run"
        )
        raise TypeError(
            f"expected a HookedTransformer, a TransformerBridge or a Run, got "
            f"{type(model).__name__}: {advice}"
        )
    if task is None:
        raise TypeError("a model needs its task: CachedModel(model, task), or CachedModel(run)")
    if isinstance(task, StreamTask):
        raise TypeError(
            f"{task.name} draws its inputs: pass a set of them, task.test or task.validation"
        )
    if not isinstance(task, Task | Sequences):
        raise TypeError(
            f"expected the model's task, e.g. tasks.modular_addition(p), got {type(task).__name__}"
        )
    if next(model.parameters()).is_meta:
        raise ValueError(
            "this model is on the device meta, where weights have no values: load its weights "
            "on another device, e.g. by models.from_weights"
        )


def require_fit(model: nn.Module, task: Task | Sequences) -> None:
    """Raises ValueError unless the model has the positions, tokens and outputs of the task."""
    cfg = model.cfg
    if cfg.n_ctx < task.n_ctx:
        raise ValueError(
            f"{task.name} has inputs of {task.n_ctx} tokens, and this model takes {cfg.n_ctx} "
            f'(n_ctx): was it trained without an "=" or an operator? State the form of its inputs, '
            f"e.g. layout=tasks.Layout(['a', 'b'])"
        )
    if cfg.d_vocab != task.d_vocab:
        raise ValueError(
            f"{task.name} needs a model with d_vocab = {task.d_vocab}, and this one has "
            f"{cfg.d_vocab}; was it trained for another p? If its vocabulary has tokens that the "
            f"task never shows, say so: layout=tasks.Layout(d_vocab={cfg.d_vocab})"
        )
    classes = sum(task.n_classes)
    stated = task.d_vocab_out
    fitting = (classes, task.d_vocab) if stated is None else (stated,)
    if cfg.d_vocab_out not in fitting:
        raise ValueError(
            f"{task.name} needs a model with d_vocab_out = {fitting[0]}, and this one has "
            f"{cfg.d_vocab_out}; if only some of its outputs are classes, say which: "
            f"layout=tasks.Layout(outputs=..., d_vocab_out={cfg.d_vocab_out})"
        )


class AllPositions:
    """Activations at all positions, under the keys of TransformerLens's caches."""

    def __init__(self, model: CachedModel) -> None:
        self._model = model

    def __getitem__(self, key: str | tuple[str, int]) -> Tensor:
        name, *layer = key if isinstance(key, tuple) else (key,)
        return self._model.activation(name, *layer, pos=None)


def noting(ran: set[str], name: str, hook: Callable) -> Callable:
    """A hook that does the same, and adds the name to `ran` when it runs."""

    def noting(activation: Tensor, *, hook: nn.Module, own: Callable = hook) -> Tensor | None:
        ran.add(name)
        return own(activation, hook=hook)

    return noting


def setting(name: str, value: Tensor, pos: int | None) -> Callable:
    """A hook that writes a value at one position, or at all positions."""

    def setting(activation: Tensor, hook: nn.Module) -> Tensor:
        changed = activation.clone()
        at_position(changed, name, pos).copy_(value)
        return changed

    return setting


def at_position(x: Tensor, name: str, pos: int | None) -> Tensor:
    if pos is None:
        return x
    if not isinstance(pos, Integral):
        raise ValueError(f'pos must be a position, None for all, or "answer", got {pos!r}')
    axis = QUERY_AXIS.get(name.rpartition("hook_")[2], 1)
    if not -x.shape[axis] <= pos < x.shape[axis]:
        raise ValueError(f"{name} has {x.shape[axis]} positions, got pos = {pos}")
    return x.select(axis, pos)


def fingerprint(model: nn.Module) -> tuple:
    """A value that changes with any weight, however it was written, with any hook that is added or
    removed, and with the model's configuration and its heads' scale.
    """
    hooks = tuple(
        (name, *module._forward_hooks, *module._forward_pre_hooks)
        for name, module in model.named_modules()
        if module._forward_hooks or module._forward_pre_hooks
    )
    sums = torch.stack([_checksum(tensor) for tensor in (*model.parameters(), *model.buffers())])
    plain = (bool, int, float, str, type(None))
    settings = sorted((k, v) for k, v in vars(model.cfg).items() if isinstance(v, plain))
    scales = tuple(getattr(module, "attn_scale", None) for module in model.modules())
    return hooks, tuple(sums.tolist()), tuple(settings), scales


@torch.no_grad()
def _checksum(x: Tensor) -> Tensor:
    """The sum of bit patterns, each times an odd number for its place: it changes with the values
    and with their order.
    """
    integer = {1: torch.int8, 2: torch.int16, 4: torch.int32, 8: torch.int64}[x.element_size()]
    bits = x.detach().flatten().view(integer).to(torch.int64)
    return (bits * (2 * torch.arange(bits.numel(), device=x.device) + 1)).sum()
