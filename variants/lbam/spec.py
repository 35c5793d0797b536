"""The fields in which variants of LBAM differ, and the function that registers a variant.

This module imports no torch, so that the variants can be listed fast.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, Literal

from bench.config import Model
from bench.core.errors import UserError, unknown
from bench.core.references import Reference, resolve
from bench.registry import ImportedWeights, Method, TrainedNetwork, register

if TYPE_CHECKING:
    from torch import nn

Activation = str | Callable[[], "nn.Module"]
"""Key of `variants.lbam.attention.ACTIVATIONS`, a text `module:callable`, or the callable."""


@dataclass(frozen=True)
class Spec:
    """The choices that make a generator and its objective; the defaults are the paper's LBAM."""

    mask_kernel: int = 4
    """Side of the filters k_M in the mask branches, pixels (stride 2); at least 1."""
    attention: Activation = "gaussian"
    """Function from the convolved mask to the attention map: gA (equation 9), or a replacement."""
    mask_update: Activation = "power"
    """Function from the convolved mask to the updated mask: gM (equation 8), or a replacement."""
    learned_masks: bool = True
    """Whether k_M is learned; otherwise every element is 1/(kernel area) (equation 1)."""
    reverse: bool = True
    """Whether the decoder has reverse attention (equations 12, 13); otherwise it is 1."""
    reverse_start: tuple[float, float] = (2.0, 1.0)
    """Initial (mu, gamma) of gA in the reverse branch; the released code starts at (1, 0.5)."""
    limits: Literal["bell", "released"] = "bell"
    """Ranges of gA's scalars: gammas of at least 0, or the narrow ranges of the released code."""
    adversarial: bool = True
    """Whether the adversarial loss is part of the objective (equation 17)."""
    batch_norm: bool = True
    """Whether there is batch norm, as in Table 4; the released model has none."""

    def __post_init__(self) -> None:
        side = self.mask_kernel
        if type(side) is not int or side < 1:
            raise UserError(f"mask_kernel is {side!r}; it must be a whole number of at least 1")

    def channels(self, model: Model) -> list[int]:
        """Return the channels of encoder layers 1..depth, doubled up to eight times the first."""
        return [model.width * 2 ** min(level, 3) for level in range(model.depth)]

    def parameters(self, model: Model) -> int:
        """Count the learnable parameters: 68,317,748 for the paper's LBAM at width 64, depth 7.

        The count is in closed form from Table 4, so that listing the variants builds no network.
        Only an activation given by reference or callable is built, to count its parameters.
        """
        ch = self.channels(model)
        encoder = zip([4, *ch[:-1]], ch, strict=True)
        decoder = zip([ch[-1], *(2 * c for c in ch[-2::-1])], [*ch[-2::-1], 3], strict=True)
        # Filters are 4x4, without bias.
        total = 16 * sum(a * b for a, b in [*encoder, *decoder])
        for levels in [ch, ch[:-1]] if self.reverse else [ch]:
            total += self._mask_branch(levels)
        if self.batch_norm:
            # A weight and a bias per channel; decoder norms see the skipped features too.
            total += 2 * (sum(ch[1:]) + 2 * sum(ch[:-1]))
        return total

    def _mask_branch(self, channels: list[int]) -> int:
        """Count the parameters of one mask branch: filters, and two activations per level."""
        pairs = zip([3, *channels[:-1]], channels, strict=True)
        filters = self.mask_kernel**2 * sum(a * b for a, b in pairs) if self.learned_masks else 0
        activations = _parameters_of(self.attention) + _parameters_of(self.mask_update)
        return filters + len(channels) * activations


FULL = Spec()
"""The paper's LBAM."""
LIMITS = "bench.networks.limits:unet_bottleneck"
"""Reference to the check of settings that a variant cannot work with."""


def variant(
    name: str,
    summary: str,
    *,
    load: Reference | None = None,
    only_named: bool = False,
    reference: bool = False,
    **differs: Any,
) -> Method:
    """Register the variant of LBAM that differs from the paper's in the named fields of `Spec`.

    One call in one new file of `variants/` adds a variant. With `load`, a reference to a function
    that loads weights from elsewhere, the variant is measured and not trained. With `only_named` it
    is no part of the ablation, unless it is asked for. `reference` marks the one that all others
    are compared with. A name that is no field is a `UserError`.
    The attention may be any callable, such as this one:

        def softplus():
            from torch import nn  # here inside, so that `python -m bench list` stays fast

            return nn.Softplus()

        variant("softplus", "softplus in place of gA", attention=softplus)
    """
    known = [f.name for f in fields(Spec)]
    for field in differs:
        if field not in known:
            raise unknown("field of a variant", field, known)
    spec = replace(FULL, **differs)
    differs = {name: value for name, value in differs.items() if value != getattr(FULL, name)}
    shared: dict[str, Any] = {
        "name": name,
        "family": "variant",
        "summary": summary,
        "network": "variants.lbam.generator:Generator",
        "arguments": {"spec": spec},
        "parameters": spec.parameters,
        "differs": differs,
        "views": "variants.lbam.views:views",
        "only_named": only_named,
    }
    if load is not None:
        return register(ImportedWeights(**shared, load=load))
    objective = {} if spec.adversarial else {"adversarial": 0.0}
    trained = TrainedNetwork(**shared, objective=objective, limits=LIMITS, reference=reference)
    return register(trained)


def _parameters_of(activation: Activation) -> int:
    """Count the learnable parameters of one activation: gA has a, mu and two gammas."""
    if isinstance(activation, str) and ":" not in activation:
        return 4 if activation == "gaussian" else 0
    return sum(p.numel() for p in resolve(activation)().parameters())
