"""What a variant of LBAM may change, and how one is registered. Imports no torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from bench.config import Model
from bench.registry import Method, register

if TYPE_CHECKING:
    from torch import Tensor, nn

    Activation = str | Callable[[], nn.Module]
    """A name known to `variants.lbam.attention.ACTIVATIONS`, or what makes such a module."""


@dataclass(frozen=True)
class LBAM:
    """The generator and objective of the paper; a variant is a diff of these fields from `FULL`."""

    mask_kernel: int = 4
    """Side of the filters k_M in the mask branches (stride 2, padding 1)."""
    attention: Activation = "gaussian"
    """Attention map from the convolved mask: gA (equation 9), or what stands in for it."""
    mask_update: Activation = "power"
    """Updated mask from the convolved mask: gM (equation 8), or what stands in for it."""
    learned_masks: bool = True
    """Whether k_M is learned; otherwise every element is 1/(kernel area) (equation 1)."""
    reverse: bool = True
    """Whether the decoder has reverse attention (equations 12, 13); otherwise 1 stands for it."""
    reverse_start: tuple[float, float] = (2.0, 1.0)
    """Initial (mu, gamma) of gA in the reverse branch; the released code starts at (1, 0.5)."""
    adversarial: bool = True
    """Whether the adversarial loss is part of the objective (equation 17)."""
    batch_norm: bool = True
    """Batch norm as in Table 4; the released model has none."""

    def diff(self) -> dict[str, Any]:
        """The fields in which this differs from `FULL`."""
        return {
            f.name: getattr(self, f.name)
            for f in fields(self)
            if getattr(self, f.name) != getattr(FULL, f.name)
        }

    def channels(self, model: Model) -> list[int]:
        """Channels of encoder layers 1..depth: doubled up to eight times the first (Table 4)."""
        return [model.width * 2 ** min(level, 3) for level in range(model.depth)]

    def parameters(self, model: Model) -> int:
        """Learnable parameters: 68,317,748 for `FULL` at width 64, depth 7.

        In closed form, so that listing the variants builds no network; only an activation of
        one's own, which may have parameters, has to be built to be counted.
        """
        if callable(self.attention) or callable(self.mask_update):
            return self._built_parameters(model)
        ch = self.channels(model)
        encoder = zip([4, *ch[:-1]], ch, strict=True)
        decoder = zip([ch[-1], *(2 * c for c in ch[-2::-1])], [*ch[-2::-1], 3], strict=True)
        total = 16 * sum(a * b for a, b in [*encoder, *decoder])
        for levels in [ch, ch[:-1]] if self.reverse else [ch]:
            total += self._mask_branch(levels)
        if self.batch_norm:
            total += 2 * (sum(ch[1:]) + 2 * sum(ch[:-1]))
        return total

    def _built_parameters(self, model: Model) -> int:
        import torch

        from variants.lbam.generator import Generator

        with torch.device("meta"):
            return sum(p.numel() for p in Generator(self, model).parameters())

    def _mask_branch(self, channels: list[int]) -> int:
        scalars = 4 * len(channels) if self.attention == "gaussian" else 0
        pairs = zip([3, *channels[:-1]], channels, strict=True)
        filters = self.mask_kernel**2 * sum(a * b for a, b in pairs)
        return scalars + (filters if self.learned_masks else 0)


FULL = LBAM()


def variant(
    name: str,
    summary: str,
    *,
    trainable: bool = True,
    load: Callable[[Mapping[str, Tensor]], nn.Module] | None = None,
) -> Callable[[Callable[[], LBAM]], Callable[[], LBAM]]:
    """Register the decorated function's LBAM as the variant `name`.

    A definition in one file, found without any list being edited:

        def softplus_attention():
            from torch import nn

            return nn.Softplus()

        @variant("softplus", "softplus in place of gA")
        def softplus() -> LBAM:
            return replace(FULL, attention=softplus_attention)
    """

    def define(make: Callable[[], LBAM]) -> Callable[[], LBAM]:
        spec = make()

        def build(model: Model) -> nn.Module:
            from variants.lbam.generator import Generator

            return Generator(spec, model)

        def views(network: nn.Module, image: Tensor, mask: Tensor) -> Mapping[str, Tensor]:
            from variants.lbam import views as inside

            return inside.views(network, image, mask)

        register(
            Method(
                name=name,
                family="variant",
                summary=summary,
                build=build,
                module=make.__module__,
                parameters=spec.parameters,
                trainable=trainable,
                differs=spec.diff(),
                objective={} if spec.adversarial else {"adversarial": 0.0},
                views=views,
                load=load,
            )
        )
        return make

    return define
