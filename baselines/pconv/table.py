"""The layer table of PConv (Liu et al. 2018, appendix), which builds and counts the network."""

from bench.config import Model
from bench.networks.layer_table import Conv, count

KERNELS = (7, 5, 5)
"""Sides of the first encoder layers' kernels; all others are 3x3."""


def encoder(model: Model) -> list[Conv]:
    """Return the encoder's layers: stride 2, channels doubled up to eight times the first."""
    channels = [3, *(model.width * 2 ** min(level, 3) for level in range(model.depth))]
    return [
        Conv(
            KERNELS[level] if level < len(KERNELS) else 3,
            channels[level],
            channels[level + 1],
            stride=2,
            bias=False,
            norm=level > 0,
        )
        for level in range(model.depth)
    ]


def decoder(model: Model) -> list[Conv]:
    """Return the decoder's layers, deepest first; each gets enlarged features and skipped ones."""
    levels = encoder(model)[::-1]
    table = [Conv(3, e.outputs + e.inputs, e.inputs, bias=False, norm=True) for e in levels[:-1]]
    # The last layer gets the image itself, and has a bias and no norm.
    return [*table, Conv(3, levels[-1].outputs + 3, 3)]


def parameters(model: Model) -> int:
    """Count the learnable parameters: 25,779,796 at width 64, depth 7."""
    return count([*encoder(model), *decoder(model)])
