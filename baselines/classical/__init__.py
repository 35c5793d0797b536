"""Algorithms that learn nothing: PatchMatch, diffusion, and the floor under every table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.config import Model
from bench.registry import Method, register

if TYPE_CHECKING:
    from torch import nn


def _define(name: str, summary: str) -> None:
    def build(model: Model) -> nn.Module:
        from baselines.classical import fills

        return fills.build(name)

    register(
        Method(
            name=name,
            family="baseline",
            summary=summary,
            build=build,
            module=__name__,
            parameters=lambda model: 0,
            trainable=False,
        )
    )


_define("mean-colour", "holes filled with the mean colour of the known pixels: the floor")
_define("telea", "fast marching (Telea 2004), by OpenCV")
_define("navier-stokes", "Navier-Stokes diffusion (Bertalmio et al. 2001), by OpenCV")
_define("biharmonic", "biharmonic equation (Chui and Mhaskar 2010), by scikit-image")
_define("patchmatch", "PatchMatch (Barnes et al. 2009), by pypatchmatch, patches of 7x7")
