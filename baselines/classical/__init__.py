"""The algorithms that learn nothing: PatchMatch, diffusion, and the floor of every table."""

from bench.registry import Algorithm, register


def algorithm(name: str, summary: str, floor: bool = False) -> None:
    """Register the algorithm of a name in `baselines.classical.fills`.

    A `floor` is so simple that every table shows it as the least that a method must beat.
    """
    register(
        Algorithm(
            name=name,
            family="baseline",
            summary=summary,
            network="baselines.classical.fills:PerImage",
            arguments={"algorithm": name},
            floor=floor,
        )
    )


algorithm("mean-colour", "holes filled with the mean colour of the known pixels", floor=True)
algorithm("telea", "fast marching (Telea 2004), by OpenCV")
algorithm("navier-stokes", "Navier-Stokes diffusion (Bertalmio et al. 2001), by OpenCV")
algorithm("biharmonic", "biharmonic equation (Chui and Mhaskar 2010), by scikit-image")
algorithm("patchmatch", "PatchMatch (Barnes et al. 2009), by pypatchmatch, patches of 7x7")
