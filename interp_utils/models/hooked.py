"""Models of our own with hooks by TransformerLens's names: what a `CachedModel` asks of a model,
without transformer_lens.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

from torch import Tensor, nn


class HookPoint(nn.Identity):
    """An activation that can be read and replaced, by its name in the model."""

    name: str


class Hooked(nn.Module):
    """A model whose activations pass through hook points. A subclass calls `name_hooks` once they
    are all there.
    """

    hook_dict: dict[str, HookPoint]

    def name_hooks(self) -> None:
        points = {n: module for n, module in self.named_modules() if isinstance(module, HookPoint)}
        for name, point in points.items():
            point.name = name
        self.hook_dict = points

    @contextmanager
    def hooks(self, fwd_hooks: Sequence[tuple[str, Callable]] = ()) -> Iterator[Hooked]:
        """Within, each hook(activation, hook=point) sees its activation, in the order given, and
        what it returns takes the activation's place, unless that is None.
        """
        with ExitStack() as held:
            for name, hook in fwd_hooks:
                handle = self.hook_dict[name].register_forward_hook(_calling(hook))
                held.callback(handle.remove)
            yield self

    def run_with_hooks(self, *inputs: Any, fwd_hooks: Sequence[tuple[str, Callable]] = ()) -> Any:
        with self.hooks(fwd_hooks):
            return self(*inputs)

    def run_with_cache(
        self,
        *inputs: Any,
        names_filter: Callable[[str], bool] = lambda name: True,
        return_cache_object: bool = False,
    ) -> tuple[Any, dict[str, Tensor]]:
        """The output, and the activations by name. Raises ValueError for a cache object: the cache
        is a dict.
        """
        if return_cache_object:
            raise ValueError("this model's cache is a dict: leave return_cache_object False")
        cache: dict[str, Tensor] = {}

        def keep(activation: Tensor, hook: HookPoint) -> None:
            cache[hook.name] = activation.detach()

        names = [name for name in self.hook_dict if names_filter(name)]
        return self.run_with_hooks(*inputs, fwd_hooks=[(name, keep) for name in names]), cache


def _calling(hook: Callable) -> Callable:
    return lambda point, inputs, activation: hook(activation, hook=point)
