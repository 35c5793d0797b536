"""Local linear regression with a pointwise confidence band."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import sparse, special

Array = NDArray[np.float64]

FEWEST = 4.0
"""Smallest sum of kernel weights at which a curve is drawn; a point at distance 0 weighs 1."""
MOST_INFLUENCE = 0.9
"""Upper bound of a point's influence on its own fit.

It keeps the correction 1 / (1 - influence) finite where one point alone determines the curve.
"""


def local_linear(
    x: Array, y: Array, image: NDArray[np.int64], at: Array, bandwidth: float
) -> tuple[Array, Array]:
    """Return the regression of `y` on `x`, both [n], at the ascending places `at` [m].

    `image` [n] numbers the images that the points belong to. The results are the curve [m] and the
    half-width of its pointwise 95 % band [m]. Both are NaN where the kernel weights sum to less
    than `FEWEST`, and the band also for a single image.

    At each place a straight line is fitted with Gaussian weights of standard deviation
    `bandwidth` (Fan and Gijbels 1996, section 2.3). Its variance is the sandwich

        sum over images c of (sum over points i of c of l_i e_i / (1 - L_ii))^2

    of weights l and residuals e: points of one image may depend on each other in any way (Liang and
    Zeger 1986). Each residual is corrected for its point's influence L_ii on its own fit, as in HC3
    of MacKinnon and White (1985). The quantile is Student's with one degree of freedom less than
    there are images. The band ignores the bias of smoothing. `at` must be denser than the
    bandwidth, since residuals are interpolated on it.
    """
    distance = x - at[:, None]
    kernel = np.exp(-0.5 * (distance / bandwidth) ** 2)
    near, first, second = (np.sum(kernel * distance**power, axis=1) for power in range(3))
    second += near * (1e-3 * bandwidth) ** 2  # a single x has no slope, but a mean
    with np.errstate(divide="ignore", invalid="ignore"):  # wide gaps, blanked below
        scale = 1 / (near * second - first**2)
        weights = kernel * (second[:, None] - first[:, None] * distance) * scale[:, None]
    mean = weights @ y
    influence = np.minimum(np.interp(x, at, second * scale), MOST_INFLUENCE)
    residual = (y - np.interp(x, at, mean)) / (1 - influence)
    images = int(image.max()) + 1
    # Most of it is zeros: a point belongs to one image of maybe thousands.
    of_image = sparse.csr_array((np.ones(len(x)), (np.arange(len(x)), image)))
    variance = ((weights * residual) @ of_image) ** 2
    half = special.stdtrit(images - 1, 0.975) * np.sqrt(variance.sum(axis=1))
    enough = near >= FEWEST
    return np.where(enough, mean, np.nan), np.where(enough, half, np.nan)
