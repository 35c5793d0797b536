"""The maps inside a generator that figures 7 and 8 of the paper show."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from bench.networks.layers import pad_to_multiple
from variants.lbam.generator import Generator

SHOWN = 3
"""Number of mask levels per branch in Fig. 8: encoder layers 1-3, decoder layers 13-11 of 14."""


def views(network: nn.Module, image: Tensor, mask: Tensor) -> dict[str, Tensor]:
    """Return maps [B,h,w] by name, for an image [B,3,H,W] in [0,1] and a mask [B,1,H,W], 1 = known.

    A map of features is their mean magnitude over channels (Fig. 7); one of an updated mask is its
    mean over channels (Fig. 8). Layers are numbered as in the paper. A variant without reverse
    attention has no masks in its decoder.
    """
    assert isinstance(network, Generator)
    image, mask = (pad_to_multiple(x, network.stride) for x in (image, mask))
    maps = network.attention_maps(mask)
    deepest, skips = network.encode(image, mask, maps)
    last = 2 * len(skips) - 1  # The last but one: 13 of 14 layers at depth 7.
    found = {
        "features encoder 1": F.leaky_relu(skips[0] * maps.forward[0], 0.2).abs(),
        f"features decoder {last}": network.decode(deepest, skips, maps).abs(),
    }
    found |= {f"mask encoder {i + 1}": m for i, m in enumerate(maps.forward_masks[:SHOWN])}
    found |= {f"mask decoder {last - i}": m for i, m in enumerate(maps.reverse_masks[:SHOWN])}
    return {name: x.mean(1) for name, x in found.items()}
