"""A phasor network as a model with hooks."""

from __future__ import annotations

from types import SimpleNamespace

import torch
from torch import Tensor, nn

from interp_utils import devices
from interp_utils.devices import Device
from interp_utils.models.family import Weights
from interp_utils.models.hooked import Hooked, HookPoint
from interp_utils.models.phasor import forward
from interp_utils.models.phasor.config import PhasorConfig
from interp_utils.models.weights import check_weights


@torch.inference_mode(False)
def build(
    config: PhasorConfig,
    weights: Weights | None = None,
    device: Device = None,
    dtype: torch.dtype = torch.float32,
) -> PhasorNetwork:
    """A model with these weights (default: `initial_weights(config)`)."""
    if None in (config.positions, config.n_ctx, config.d_vocab, config.d_vocab_out):
        raise ValueError("the sizes must be set to build a model; use config.for_task(task)")
    weights = forward.initial_weights(config) if weights is None else weights
    check_weights(weights, forward.weight_shapes(config))
    cast = {name: weight.to(dtype) for name, weight in weights.items()}
    return PhasorNetwork(config, cast).to(devices.resolve(device))


class PhasorNetwork(Hooked):
    """It has one position, that of the answer: model(tokens) is "n 1 c". Its activations are
    "embed", "n 1 d", and of each layer "sum", "n 1 2 d" with real and imaginary part, and "phase",
    "n 1 d" in units of pi.
    """

    def __init__(self, config: PhasorConfig, weights: Weights) -> None:
        super().__init__()
        self.config = config
        # what a CachedModel asks for; there is no attention, and no MLP
        self.cfg = SimpleNamespace(
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
            dtype=weights[forward.EMBED].dtype,
        )
        self.embed, self.hook_embed = nn.Module(), HookPoint()
        self.blocks = nn.ModuleList(nn.Module() for _ in range(config.n_layers))
        for block in self.blocks:
            block.hook_sum, block.hook_phase = HookPoint(), HookPoint()
        trained = set(forward.trainable(config))
        for name, weight in weights.items():
            path, _, last = name.rpartition(".")
            own = nn.Parameter(weight.detach().clone(), requires_grad=name in trained)
            self.get_submodule(path).register_parameter(last, own)
        self.name_hooks()

    def forward(self, tokens: Tensor) -> Tensor:
        weights = dict(self.named_parameters())
        return forward.through_phases(self.config, weights, tokens, self._seen)[:, None]

    def _seen(self, name: str, value: Tensor) -> Tensor:
        path, _, last = name.rpartition(".")
        return getattr(self.get_submodule(path), f"hook_{last}")(value[:, None])[:, 0]
