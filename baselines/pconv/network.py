"""The partial convolution and the U-Net of Liu et al. (2018)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from baselines.pconv import table
from bench.config import Model
from bench.networks.layer_table import Conv
from bench.networks.layers import crop_to, pad_to_multiple

SLOPE = 0.2
"""Slope of the decoder's leaky ReLU below 0."""
EPSILON = 1e-8
"""Small number that keeps the quotient finite in windows without a known pixel."""


class PartialConv(nn.Module):
    """A convolution of known pixels alone, scaled up the more, the fewer of them a window has.

    With s the number of known elements in a window, and m' = 1 where s > 0, the output is
    ((W * (X⊙M)) · C k² / s + b) · m' (equations 1 and 2 of their paper). Zero padding counts as
    hole.
    """

    def __init__(self, layer: Conv) -> None:
        super().__init__()
        self.layer = layer
        self.conv = nn.Conv2d(
            layer.inputs, layer.outputs, layer.kernel, layer.stride, layer.padding, bias=False
        )
        self.bias = nn.Parameter(torch.zeros(layer.outputs)) if layer.bias else None

    def forward(self, x: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Compute the next features and masks from features [B,C,H,W] and masks [B,C,H,W].

        Masks are of {0, 1}, 1 = known. The next ones are [B,C',H',W'], equal in all channels.
        """
        ratio, updated = self._coverage(mask)
        output = self.conv(x * mask) * ratio
        if self.bias is not None:
            output = (output + self.bias[:, None, None]) * updated
        return output, updated.expand(-1, self.layer.outputs, -1, -1)

    @torch.no_grad()
    def _coverage(self, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Compute C k² / s · m' and m', both [B,1,H',W'], in the precision of `mask`."""
        # Pixels are counted in float32 at least, whatever the features are in: bf16 cannot hold the
        # counts of 512 channels, nor float16 the epsilon.
        layer, precision = self.layer, torch.promote_types(mask.dtype, torch.float32)
        with torch.autocast(mask.device.type, enabled=False):
            known = mask.to(precision).sum(1, keepdim=True)
            window = known.new_ones(1, 1, layer.kernel, layer.kernel)
            count = F.conv2d(known, window, stride=layer.stride, padding=layer.padding)
            updated = count.clamp(0, 1)
            ratio = layer.inputs * layer.kernel**2 / (count + EPSILON) * updated
        return ratio.to(mask.dtype), updated.to(mask.dtype)


class PConvUNet(nn.Module):
    """An encoder and decoder of partial convolutions; masks follow the same paths as features.

    `forward(image, mask)` takes [B,3,H,W] in [0,1] and [B,1,H,W], 1 = known, of any size. It
    returns [B,3,H,W]. The last layer is linear, so values may lie a little outside [0,1].
    """

    def __init__(self, model: Model) -> None:
        super().__init__()
        encoder, decoder = table.encoder(model), table.decoder(model)
        self.encoder = nn.ModuleList(PartialConv(layer) for layer in encoder)
        self.encoder_norms = nn.ModuleList(_norm(layer) for layer in encoder)
        self.decoder = nn.ModuleList(PartialConv(layer) for layer in decoder)
        self.decoder_norms = nn.ModuleList(_norm(layer) for layer in decoder)
        self.encoder_norms_frozen = False

    def freeze_encoder_norms(self, frozen: bool) -> None:
        """Set whether the encoder's batch norm keeps its statistics while the rest trains."""
        self.encoder_norms_frozen = frozen
        self.train(self.training)

    def train(self, mode: bool = True) -> PConvUNet:
        """Set the training mode; frozen norms stay in evaluation mode."""
        super().train(mode)
        self.encoder_norms.train(mode and not self.encoder_norms_frozen)
        return self

    def forward(self, image: Tensor, mask: Tensor) -> Tensor:
        """Return the raw output [B,3,H,W]."""
        size, stride = image.shape[-2:], 2 ** len(self.encoder)
        x, known = (pad_to_multiple(z, stride) for z in (image, mask))
        known = known.expand(-1, 3, -1, -1)
        skipped = []
        for layer, norm in zip(self.encoder, self.encoder_norms, strict=True):
            skipped.append((x, known))
            x, known = layer(x, known)
            x = F.relu(norm(x))
        last = len(self.decoder) - 1
        for level, (layer, norm) in enumerate(zip(self.decoder, self.decoder_norms, strict=True)):
            pairs = zip((x, known), skipped.pop(), strict=True)
            x, known = (
                torch.cat([F.interpolate(deep, scale_factor=2, mode="nearest"), skip], 1)
                for deep, skip in pairs
            )
            x, known = layer(x, known)
            if level < last:
                x = F.leaky_relu(norm(x), SLOPE)
        return crop_to(x, size)


def _norm(layer: Conv) -> nn.Module:
    return nn.BatchNorm2d(layer.outputs) if layer.norm else nn.Identity()
