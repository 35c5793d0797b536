"""PConv's layer table (Liu et al. 2018, appendix), from which the network is built and counted."""

from bench.config import Model
from bench.networks.layer_table import Conv, count

KERNELS = (7, 5, 5)
"""Of the first encoder layers; all others are 3x3."""


def encoder(model: Model) -> list[Conv]:
    """The encoder's layers: stride 2, channels doubled up to eight times the first."""
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
    """The decoder's layers on the enlarged features and the skipped ones, deepest first."""
    levels = encoder(model)[::-1]
    table = [Conv(3, e.outputs + e.inputs, e.inputs, bias=False, norm=True) for e in levels[:-1]]
    return [*table, Conv(3, levels[-1].outputs + 3, 3)]


def parameters(model: Model) -> int:
    """25,779,796 at width 64, depth 7."""
    return count([*encoder(model), *decoder(model)])
