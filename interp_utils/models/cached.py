"""CachedModel: a model and its task, seen on the task's grid, as it is or with parts replaced."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from interp_utils.models.activations import Activations, At, Edit
from interp_utils.models.bridge import Hook
from interp_utils.models.passes import AllPositions
from interp_utils.models.transformer.building import named_weights
from interp_utils.tasks import Task


class CachedModel(Activations):
    """Logits and activations of a HookedTransformer or TransformerBridge on all inputs of a task,
    computed when first asked for and kept.

    Results are on the task's grid, "a b ...", and on the model's device. Their position is where
    the answer is read: `answer_pos` for a `Task`, all positions for `Sequences`, e.g. the test
    lists of a sorting task. `.task` is the task in the grid's order, on the same device.
    New weights, hooks added to the model, and another `attn_scale` or configuration empty the
    cache; other changes to the model's code are not noticed.

    CachedModel(run) is the last snapshot of a run with the run's task.
    memory: bytes that one pass may take beside its results; inputs are run in batches that fit.
    On a CPU larger batches gain nothing.
    Raises ValueError if the model has other tokens or classes than the task.
    """

    def __getitem__(self, key: str | tuple[str, int]) -> Float[Tensor, "..."]:
        """model["post", 0] is model.activation("post", 0), at the position of the answer."""
        return self.activation(*key) if isinstance(key, tuple) else self.activation(key)

    @property
    def cache(self) -> AllPositions:
        """As in TransformerLens, model.cache["post", 0] has all positions: "a b pos ..."."""
        return AllPositions(self)

    @property
    def W_E(self) -> tuple[Float[Tensor, "value d_model"], ...]:
        """The embeddings of each operand's values, in the order of its axis.

        Raises ValueError for a task that states no operands.
        """
        self.require_operands("the rows of W_E that are numbers")
        W_E = named_weights(self.model)["embed.W_E"].detach()
        return tuple(W_E[operand.tokens.to(W_E.device)] for operand in self.task.operands)

    @property
    def W_U(self) -> Float[Tensor, "d_model c"]:
        """The unembedding of the task's classes, in their order."""
        return named_weights(self.model)["unembed.W_U"].detach()[:, self._outputs]

    @property
    def W_L(self) -> Float[Tensor, "neuron c"]:
        """W_out W_U: what each neuron adds to each class's logit (Nanda et al. 2023, section 4.2),
        in float32 at least.

        Raises ValueError where neurons are not read linearly and directly: with several layers, no
        MLP, a LayerNorm before the unembedding, or anything else by which logits move otherwise
        when neurons are moved (a soft cap, an edit, a hook that was left on the model).
        """
        cfg = self.model.cfg
        reasons = {
            f"it has {cfg.n_layers} layers": cfg.n_layers != 1,
            "it has no MLP": cfg.d_mlp is None or bool(cfg.attn_only),
            f"its logits are read through {cfg.normalization_type}": bool(cfg.normalization_type),
        }
        why_not = next((reason for reason, applies in reasons.items() if applies), None)
        if why_not is None:
            W_out = named_weights(self.model)["blocks.0.mlp.W_out"].detach()
            wide = torch.promote_types(W_out.dtype, torch.float32)
            W_L = W_out.to(wide) @ self.W_U.to(wide)
            if self._reads_neurons_by(W_L):
                return W_L
            why_not = (
                "its logits do not move by W_L when its neurons are moved (a soft cap, an edit, or "
                "a hook on what comes after them)"
            )
        raise ValueError(f"W_L = W_out W_U is not how this model reads its neurons: {why_not}")

    @torch.no_grad()
    def _reads_neurons_by(self, W_L: Float[Tensor, "neuron c"], n: int = 8) -> bool:
        """Whether the logits of n inputs move by d W_L when the neurons are moved by a random d."""
        post, inputs = self.hook_name("post", 0), torch.arange(min(n, len(self.task)))
        generator = torch.Generator().manual_seed(0)
        move = torch.randn(len(W_L), generator=generator).to(W_L)
        moved = self.with_hooks((post, lambda x, hook: x + move.to(x.dtype)))
        before, after = (model.logits_of(inputs).to(W_L.dtype) for model in (self, moved))
        expected = move @ W_L
        largest = before.abs().max() + expected.abs().max()
        rounding = 100 * torch.finfo(self.model.cfg.dtype).eps * largest
        error = (after - before - expected).abs().max()
        return bool(error <= 1e-3 * expected.abs().max() + rounding)

    def attention_to(self, operand: int, layer: int | None = None) -> Float[Tensor, "a b head"]:
        """Each head's attention from the answer's position to the position of an operand.

        operand: 0 for a, 1 for b. Raises ValueError for a task that states no operands.
        """
        self.require_operands("attention to an operand")
        position = self.task.operands[operand].position
        return self.activation("pattern", layer)[..., position]

    def as_sums(self) -> CachedModel:
        """The same model on the grid of the coordinates u(a), v(b) that the task's operation names,
        with the class of each sum u + v, as every measure of modular addition needs it. If a and b
        are the coordinates already, it is the model itself.

        Raises ValueError where the task states no operation, or one that is not one to one.
        """
        if not isinstance(self.task, Task):
            raise ValueError(f"{self.task.name} is not a task on pairs: it has no sum u + v")
        task = self.task.as_sums()
        same = task.tokens.equal(self.task.tokens) and task.labels.equal(self.task.labels)
        if same and task.outputs == tuple(self._outputs.tolist()):
            return self
        rows = self.task.sum_rows().to(self.device)
        edits: list[Edit] = []
        for name, edit in self.edits:
            if isinstance(edit, tuple):
                values, pos = edit
                edit = values[rows], pos
            edits.append((name, edit))
        return CachedModel(self.model, task, memory=self.memory, edits=edits)

    def require_operands(self, what: str) -> None:
        """Raises ValueError, saying what needs the operands, unless the task states them."""
        if not self.task.operands:
            raise ValueError(
                f"{self.task.name} does not say where its operands stand, which {what} needs: "
                f"state Task(operands=(tasks.Operand(position, tokens), ...))"
            )

    def with_hooks(self, *hooks: Hook | Sequence[Hook]) -> CachedModel:
        """The same model as it runs with these hooks, e.g. an ablation; the model itself keeps none
        of the hooks. A list of hooks, as in TransformerLens, does as well.

        with_hooks(("blocks.0.mlp.hook_post", lambda post, hook: 0 * post)).logits
        """
        one = hooks[0] if len(hooks) == 1 and isinstance(hooks[0], tuple | list) else ()
        if one and all(isinstance(hook, tuple | list) for hook in one):
            hooks = tuple(hooks[0])
        for hook in hooks:
            pair = isinstance(hook, tuple | list) and len(hook) == 2
            if not pair or not isinstance(hook[0], str) or not callable(hook[1]):
                raise TypeError(
                    f"a hook is a pair of an activation's name and a function, got {hook!r}"
                )
        return CachedModel(self.model, self.task, memory=self.memory, edits=(*self.edits, *hooks))

    def with_values(self, values: Mapping[str, Tensor], pos: At = "answer") -> CachedModel:
        """The same model with activations replaced by values on the grid, {name: "a b ..."}, of the
        shape that `activation` has at `pos`.

        with_values({"blocks.0.mlp.hook_post": approximated_post}).logits. Edits apply in the order
        in which they were asked for.
        Raises ValueError for values of another shape.
        """
        edits: list[Edit] = []
        for name, value in values.items():
            expected = self.activation(name, pos=pos).shape
            if value.shape != expected:
                raise ValueError(
                    f"{self.hook_name(name)} has shape {tuple(expected)} on the grid, got "
                    f"{tuple(value.shape)}"
                )
            place = self.task.answer_pos if pos == "answer" else pos
            edits.append((name, (self._by_input(value), place)))
        return CachedModel(self.model, self.task, memory=self.memory, edits=(*self.edits, *edits))

    def _by_input(self, value: Tensor) -> Tensor:
        return value.flatten(0, len(self.task.grid) - 1) if self.task.grid else value

    def embedding_gradients(
        self, inputs: Int[Tensor, "n"], classes: Int[Tensor, "n"]
    ) -> Float[Tensor, "n ctx d_model"]:
        """Gradient of each input's logit of one class with respect to the embeddings of its tokens,
        before positions are added.
        """
        embedded: list[Tensor] = []

        def keep(embedding: Tensor, hook: nn.Module) -> Tensor:
            embedded.append(embedding.detach().requires_grad_())
            return embedded[0]

        hooks = [(self.hook_name("embed"), keep), *self._hooks(inputs)[0]]
        # Many notebooks begin with gradients switched off.
        with torch.inference_mode(False), torch.enable_grad(), self.model.hooks(fwd_hooks=hooks):
            tokens = self.task.tokens[inputs.to(self.device)].clone()
            columns = self._outputs.clone()[classes.to(self.device, copy=True)][:, None]
            logits = self.model(tokens)[:, self.task.answer_pos]
            return torch.autograd.grad(logits.gather(1, columns).sum(), embedded)[0]
