"""A phasor network as a model with hooks, as in TransformerLens."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor, nn

from interp_utils import devices
from interp_utils.devices import Device
from interp_utils.models.phasor import forward
from interp_utils.models.phasor.config import PhasorConfig
from interp_utils.models.weights import check_weights


@torch.inference_mode(False)
def build(
    config: PhasorConfig,
    weights: Mapping[str, Tensor] | None = None,
    device: Device = None,
    dtype: torch.dtype = torch.float32,
) -> nn.Module:
    """A model with these weights (default: `initial_weights(config)`), for a `CachedModel`. It has
    one position, that of the answer: model(tokens) is "n 1 c".

    Its activations are "embed", and of each layer "sum", "n 1 2 d" with real and imaginary part,
    and "phase", "n 1 d" in units of pi.
    """
    if None in (config.positions, config.d_vocab, config.d_vocab_out):
        raise ValueError("the sizes must be set to build a model; use config.for_task(task)")
    weights = forward.initial_weights(config) if weights is None else weights
    check_weights(weights, forward.weight_shapes(config))
    model = _module()(config, {name: weight.to(dtype) for name, weight in weights.items()})
    return model.to(devices.resolve(device))


@cache
def _module() -> type[nn.Module]:
    """The class of models, which is made when transformer_lens is first needed."""
    from transformer_lens import HookedRootModule
    from transformer_lens.hook_points import HookPoint

    class PhasorNetwork(HookedRootModule):
        def __init__(self, config: PhasorConfig, weights: Mapping[str, Tensor]) -> None:
            super().__init__()
            self.config, self.cfg = config, _sizes(config, weights)
            self.embed, self.hook_embed = nn.Module(), HookPoint()
            self.blocks = nn.ModuleList(nn.Module() for _ in range(config.n_layers))
            for block in self.blocks:
                block.hook_sum, block.hook_phase = HookPoint(), HookPoint()
            for name, weight in weights.items():
                path, _, last = name.rpartition(".")
                is_trained = name in forward.trainable(config)
                own = nn.Parameter(weight.detach().clone(), requires_grad=is_trained)
                self.get_submodule(path).register_parameter(last, own)
            self.setup()

        def forward(self, tokens: Tensor) -> Tensor:
            weights = dict(self.named_parameters())
            return forward.through_phases(self.config, weights, tokens, self._seen)[:, None]

        def run_with_cache(
            self, *given: Any, return_cache_object: bool = False, **options: Any
        ) -> tuple[Tensor, dict[str, Tensor]]:
            """As HookedTransformer's; the cache is a dict."""
            return super().run_with_cache(*given, **options)

        def _seen(self, name: str, value: Tensor) -> Tensor:
            path, _, last = name.rpartition(".")
            return getattr(self.get_submodule(path), f"hook_{last}")(value[:, None])[:, 0]

    return PhasorNetwork


def _sizes(config: PhasorConfig, weights: Mapping[str, Tensor]) -> SimpleNamespace:
    """The sizes that a `CachedModel` asks for. There is no attention, and no MLP."""
    return SimpleNamespace(
        n_ctx=config.n_ctx,
        d_vocab=config.d_vocab,
        d_vocab_out=config.d_vocab_out,
        n_layers=config.n_layers,
        d_model=max(2 * config.d_inputs, *config.hidden, config.d_outputs),
        n_heads=0,
        d_head=0,
        d_mlp=None,
        attn_only=True,
        normalization_type=None,
        dtype=weights["embed.phase"].dtype,
    )
