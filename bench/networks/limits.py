"""Checks that refuse settings which several networks cannot work with.

They run before anything is built, and import no torch.
"""

from bench.config import Config, Model
from bench.core.errors import UserError


def unet_bottleneck(config: Config, images: int) -> None:
    """Refuse one image per process where the deepest of `--depth` layers is 1x1.

    Batch norm there would have a single value for each channel.
    """
    if config.data.size <= 2**config.model.depth:
        several_images(config, images, f"the bottleneck of --depth {config.model.depth}")


def several_images(config: Config, images: int, where: str) -> None:
    """Refuse one image per process, for batch norm on features of 1x1 at the place `where`."""
    if images == 1:
        raise UserError(
            f"--batch-size {config.training.batch_size} leaves one image a process, and batch norm "
            f"needs more than one value at {where}, which is 1x1 at --size {config.data.size}; use "
            "at least two images a process, or a larger --size"
        )


def multiple_of(config: Config, divisor: int, what: str) -> None:
    """Refuse a `--size` that is not a multiple of the divisor; `what` names those that need one."""
    if config.data.size % divisor:
        raise UserError(f"--size {config.data.size} is no multiple of {divisor}: {what} need one")


def least_width(model: Model, least: int, what: str) -> None:
    """Refuse a `--width` that leaves the narrowest layer of a network, `what`, without channels."""
    if model.width < least:
        raise UserError(f"--width {model.width} is too narrow for {what}; use at least {least}")
