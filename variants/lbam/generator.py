"""The LBAM generator (Table 4): a U-Net whose features are weighted by learned attention maps."""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bench.config import Model
from bench.core.references import resolve
from bench.networks.layers import crop_to, pad_to_multiple
from variants.lbam.attention import ACTIVATIONS, GaussianAttention
from variants.lbam.spec import Activation, Spec


class AttentionMaps(NamedTuple):
    """The maps that depend on the mask alone, outermost level first.

    `forward[i]` and `reverse[i]` multiply the features of level i and have their shape, or one
    channel.
    """

    forward: list[Tensor]
    """Attention maps of the encoder."""
    reverse: list[Tensor]
    """Reverse attention maps; there are none for a variant without reverse attention."""
    forward_masks: list[Tensor]
    """Updated masks gM(Mc) of the encoder (equation 11), drawn in Fig. 8."""
    reverse_masks: list[Tensor]
    """Updated reverse masks (equation 13)."""


class MaskLevel(nn.Module):
    """One layer of a mask branch: Mc = k_M * M, attention gA(Mc), next mask gM(Mc)."""

    weight: Tensor

    def __init__(self, spec: Spec, inputs: int, outputs: int, attention: nn.Module) -> None:
        super().__init__()
        self.attention = attention
        self.update = _activation(spec.mask_update)
        side = spec.mask_kernel
        if spec.learned_masks:
            self.weight = nn.Parameter(torch.empty(outputs, inputs, side, side))
        else:
            # The channels of a fixed branch are all equal, so one stands for all (equation 1).
            self.register_buffer("weight", torch.full((1, 1, side, side), 1 / side**2))

    def forward(self, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Compute the attention and the next mask, each [B,C',H/2,W/2], from a mask [B,C,H,W]."""
        weight = self.weight
        if mask.shape[1] == 1 and weight.shape[1] > 1:
            # The paper feeds three equal channels. One channel gives the same with summed filters.
            weight = weight.sum(1, keepdim=True)
        # Halves an even side whatever the filter's is: 1 for the paper's 4x4, as in Table 4.
        padding = (weight.shape[-1] - 1) // 2
        convolved = F.conv2d(mask, weight, stride=2, padding=padding)
        return self.attention(convolved), self.update(convolved)


class MaskBranch(nn.Module):
    """The mask levels of one direction, outermost first."""

    def __init__(self, spec: Spec, channels: list[int], start: tuple[float, float]) -> None:
        super().__init__()
        self.levels = nn.ModuleList(
            MaskLevel(spec, inputs, outputs, _attention(spec, start))
            for inputs, outputs in zip([3, *channels[:-1]], channels, strict=True)
        )

    def forward(self, mask: Tensor) -> tuple[list[Tensor], list[Tensor]]:
        """Compute the attention maps and the updated masks of all levels from a mask [B,1,H,W]."""
        maps, masks = [], []
        for level in self.levels:
            attention, mask = level(mask)
            maps.append(attention)
            masks.append(mask)
        return maps, masks


class Generator(nn.Module):
    """The generator of LBAM or of a variant.

    `forward(image, mask)` takes an image [B,3,H,W] in [0,1] and a mask [B,1,H,W], 1 = known, and
    returns the raw output [B,3,H,W] in [0,1]. Sides that 2^depth does not divide are padded and
    cropped back.
    """

    def __init__(self, model: Model, spec: Spec) -> None:
        super().__init__()
        self.stride = 2**model.depth
        channels = spec.channels(model)
        inner = channels[-2::-1]  # Outputs of the decoder layers but the last, deepest first.
        self.encoder = nn.ModuleList(
            nn.Conv2d(a, b, 4, 2, 1, bias=False)
            for a, b in zip([4, *channels[:-1]], channels, strict=True)
        )
        self.decoder = nn.ModuleList(
            nn.ConvTranspose2d(a, b, 4, 2, 1, bias=False)
            for a, b in zip([channels[-1], *(2 * c for c in inner)], [*inner, 3], strict=True)
        )
        # Table 4 has no norm in the first encoder layer and in the last of the decoder.
        norm = nn.BatchNorm2d if spec.batch_norm else nn.Identity
        self.encoder_norms = nn.ModuleList([nn.Identity(), *(norm(c) for c in channels[1:])])
        self.decoder_norms = nn.ModuleList(norm(2 * c) for c in inner)
        self.mask_branch = MaskBranch(spec, channels, (2.0, 1.0))
        self.reverse_branch = (
            MaskBranch(spec, channels[:-1], spec.reverse_start) if spec.reverse else None
        )

    def forward(self, image: Tensor, mask: Tensor) -> Tensor:
        """Return the raw output [B,3,H,W] in [0,1]; the image's pixels in the hole are not used."""
        size = image.shape[-2:]
        image, mask = (pad_to_multiple(x, self.stride) for x in (image, mask))
        return crop_to(self.from_maps(image, mask, self.attention_maps(mask)), size)

    def attention_maps(self, mask: Tensor) -> AttentionMaps:
        """Compute the maps of a mask [B,1,H,W], which can be kept for many images.

        The sides must be multiples of `stride`.
        """
        forward, forward_masks = self.mask_branch(mask)
        reverse, reverse_masks = self.reverse_branch(1 - mask) if self.reverse_branch else ([], [])
        return AttentionMaps(forward, reverse, forward_masks, reverse_masks)

    def from_maps(self, image: Tensor, mask: Tensor, maps: AttentionMaps) -> Tensor:
        """Return the raw output [B,3,H,W] in [0,1], given the maps of the mask.

        The sides must be multiples of `stride`.
        """
        x, skips = self.encode(image, mask, maps)
        return (torch.tanh(self.decoder[-1](self.decode(x, skips, maps))) + 1) / 2

    def encode(
        self, image: Tensor, mask: Tensor, maps: AttentionMaps
    ) -> tuple[Tensor, list[Tensor]]:
        """Return the bottleneck features, and every level's convolved features before attention."""
        x = torch.cat([image * mask, mask], 1)
        skips = []
        for conv, norm, attention in zip(
            self.encoder, self.encoder_norms, maps.forward, strict=True
        ):
            # Kept without attention, because equation 12 applies the map to them again.
            skips.append(conv(x))
            x = F.leaky_relu(norm(skips[-1] * attention), 0.2)
        return x, skips

    def decode(self, x: Tensor, skips: list[Tensor], maps: AttentionMaps) -> Tensor:
        """Return the features of decoder layer 13, [B,2*width,H/2,W/2], from the bottleneck's."""
        inner = range(len(skips) - 2, -1, -1)
        for level, deconv, norm in zip(inner, self.decoder[:-1], self.decoder_norms, strict=True):
            x = deconv(x)
            own = x * maps.reverse[level] if maps.reverse else x
            # Equation 12: each half is normalised by its own map, the encoder's half first.
            x = F.leaky_relu(norm(torch.cat([skips[level] * maps.forward[level], own], 1)), 0.2)
        return x


def _attention(spec: Spec, start: tuple[float, float]) -> nn.Module:
    """Build a level's attention; gA alone has initial (mu, gamma), `start`."""
    if spec.attention == "gaussian":
        return GaussianAttention(mu=start[0], gamma=start[1], limits=spec.limits)
    return _activation(spec.attention)


def _activation(activation: Activation) -> nn.Module:
    known = ACTIVATIONS.get(activation) if isinstance(activation, str) else None
    module: nn.Module = (known or resolve(activation))()
    return module
