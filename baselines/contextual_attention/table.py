"""The layer tables of the two stages of contextual attention (Yu et al. 2018)."""

from dataclasses import dataclass

from bench.config import Model
from bench.networks.layer_table import Conv, count
from bench.networks.limits import least_width

INPUTS = 5
"""Number of input channels: three colours, ones (they mark the padding), and the hole."""


@dataclass(frozen=True)
class Stages:
    """The layer tables of both stages, with `c` channels in the first layers."""

    c: int

    @property
    def coarse(self) -> list[Conv]:
        """The coarse network, with 1,448,227 parameters at c = 32."""
        c = self.c
        start = [Conv(5, INPUTS, c), Conv(3, c, 2 * c, 2), Conv(3, 2 * c, 2 * c)]
        middle = [Conv(3, 2 * c, 4 * c, 2), *self._same(2)]
        return [*start, *middle, *self._dilated(), *self._same(2), *self._decoder()]

    @property
    def convolution(self) -> list[Conv]:
        """The refinement's branch of dilated convolutions."""
        return [*self._encoder(2 * self.c), *self._same(1), *self._dilated()]

    @property
    def matching(self) -> list[Conv]:
        """The branch up to the features that attention matches."""
        return [*self._encoder(4 * self.c), *self._same(1)]

    @property
    def attended(self) -> list[Conv]:
        """The branch after the attention."""
        return self._same(2)

    @property
    def merged(self) -> list[Conv]:
        """The layers from both branches together to the picture."""
        c = self.c
        return [Conv(3, 8 * c, 4 * c), *self._same(1), *self._decoder()]

    def _encoder(self, fourth: int) -> list[Conv]:
        c = self.c
        return [
            Conv(5, INPUTS, c), Conv(3, c, c, 2), Conv(3, c, 2 * c), Conv(3, 2 * c, fourth, 2),
            Conv(3, fourth, 4 * c),
        ]  # fmt: skip

    def _same(self, times: int) -> list[Conv]:
        return [Conv(3, 4 * self.c, 4 * self.c)] * times

    def _dilated(self) -> list[Conv]:
        return [Conv(3, 4 * self.c, 4 * self.c, dilation=rate) for rate in (2, 4, 8, 16)]

    def _decoder(self) -> list[Conv]:
        c = self.c
        return [
            Conv(3, 4 * c, 2 * c, up=True), Conv(3, 2 * c, 2 * c), Conv(3, 2 * c, c, up=True),
            Conv(3, c, c // 2), Conv(3, c // 2, 3),
        ]  # fmt: skip


def stages(model: Model) -> Stages:
    """Return the tables for half of the model's width: 32 channels at the paper's size."""
    least_width(model, 4, "contextual attention")
    return Stages(model.width // 2)


def parameters(model: Model) -> int:
    """Count the learnable parameters: 3,601,542 at width 64."""
    s = stages(model)
    return count([*s.coarse, *s.convolution, *s.matching, *s.attended, *s.merged])
