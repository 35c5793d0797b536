"""The layer table of Global&Local's completion network (Iizuka et al. 2017, Table 1)."""

from bench.config import Config, Model
from bench.networks import memory
from bench.networks.layer_table import Conv, count
from bench.networks.limits import least_width


def generator(model: Model) -> list[Conv]:
    """Return the 17 layers of their Table 1, from image and mask to three channels."""
    least_width(model, 2, "Global&Local")
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


def discriminators_fit(config: Config, images: int) -> None:
    """Refuse discriminators that do not fit into memory: their linear layers grow with `--size`."""
    # Both see features of 8 widths on size/64 x size/64 places, and have 16 widths of outputs.
    weights = 2 * 8 * 16 * config.model.critic_width**2 * (config.data.size // 64) ** 2
    option = f"--critic-width {config.model.critic_width} at --size {config.data.size}"
    memory.require({option: weights * memory.TRAINED_WEIGHT["any"]}, config)
