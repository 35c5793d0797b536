"""The layer table of Global&Local's completion network (Iizuka et al. 2017, Table 1)."""

from bench.config import Model
from bench.networks.layer_table import Conv, count


def generator(model: Model) -> list[Conv]:
    """Return the 17 layers of their Table 1, from image and mask to three channels."""
    w = model.width
    rows = [
        # kernel, outputs, stride, dilation, up
        (5, w, 1, 1, False), (3, 2 * w, 2, 1, False), (3, 2 * w, 1, 1, False),
        (3, 4 * w, 2, 1, False), (3, 4 * w, 1, 1, False), (3, 4 * w, 1, 1, False),
        (3, 4 * w, 1, 2, False), (3, 4 * w, 1, 4, False), (3, 4 * w, 1, 8, False),
        (3, 4 * w, 1, 16, False), (3, 4 * w, 1, 1, False), (3, 4 * w, 1, 1, False),
        (4, 2 * w, 2, 1, True), (3, 2 * w, 1, 1, False), (4, w, 2, 1, True),
        (3, w // 2, 1, 1, False), (3, 3, 1, 1, False),
    ]  # fmt: skip
    inputs = [4, *(row[1] for row in rows)]
    return [
        Conv(k, inputs[i], out, stride, dilation, norm=i < len(rows) - 1, up=up)
        for i, (k, out, stride, dilation, up) in enumerate(rows)
    ]


def parameters(model: Model) -> int:
    """Count the learnable parameters: 6,072,131 at width 64."""
    return count(generator(model))
