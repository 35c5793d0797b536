"""Means over trainings and images: one model for every interval and every test.

Trainings (seeds) and images are both drawn from what might have been trained and measured, and
every seed meets every image. With y[s,i] the value of seed s on image i, or a difference of two
methods there (they share seeds and images, so that differences are paired in both),

    y[s,i] = mu + a[s] + b[i] + e[s,i],

where a, b and e are independent with variances sa², sb² and se². Radiology analyses readers and
cases like this (multi-reader multi-case); here seeds are readers and images are cases. With S
seeds, n images and the mean squares MA of seeds, MB of images and ME of the rest:

    variance of the mean = max(MA + max(MB - ME, 0), ME) / (S n)

It estimates sa²/S + sb²/n + se²/(S n), as Hillis (2007) does, but is never below the estimate of
the last term: the means of two or three seeds may agree by chance, and MA is next to nothing then.
Without that floor, one study in twenty with two seeds and 20 images got an interval of less than a
tenth of its right width. The parts MA and MB - ME have S - 1 and n - 1 degrees of freedom, and what
the floor adds has more. A statistic t is compared with a weighted mean of Student's two
distributions,

    P(|T| > t) = w P(|t with S-1 df| > t) + (1 - w) P(|t with n-1 df| > t),

where w is the share of MA in the variance: the rule of Cochran and Cox (1957) for means with
unequal variances, applied to probabilities instead of quantiles. A single number of degrees of
freedom, as Satterthwaite's or Hillis's, is too optimistic when few seeds carry a part of the
variance: in the simulation of tests/reports/analysis/test_crossed.py it rejects up to 8 % of true
nulls at nominal 5 % with three seeds, and this rule 5.6 % at most. With two, it rejects 8.3 %.

With one seed nothing is known of sa². The mean is then that of this one training, and the model is
Student's t over images.

Sources: Dorfman, Berbaum, Metz, Investigative Radiology 27 (1992) 723; Obuchowski, Rockette,
Communications in Statistics B 24 (1995) 285; Hillis, Statistics in Medicine 26 (2007) 596; Cochran,
Cox, Experimental Designs, 2nd edition (1957).
"""

from __future__ import annotations

from bisect import bisect_left
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import special

Array = NDArray[np.float64]
LEVEL = 0.05
"""Two-sided level of tests; intervals cover 1 - LEVEL."""
POWER = 0.8
"""Probability with which a planned study detects what it is planned for."""
MOST_IMAGES, MOST_SEEDS = 100_000, 50
"""Sizes beyond which no study is proposed."""


class Mean(NamedTuple):
    """A mean over seeds and images, and how well it is known."""

    seeds: int
    images: int
    mean: float
    """NaN without a value."""
    error: float
    """Standard error; NaN for fewer than two images."""
    share: float
    """Share of the seeds in the variance of the mean, w above; 0 with one seed."""
    of_seed: float
    """sa², the variance between trainings; 0 with one seed, which cannot tell it."""
    of_image: float
    """sb², the variance between images; with one seed, sb² + se²."""
    of_rest: float
    """se², the variance of seeds within images."""

    @property
    def half(self) -> float:
        """Half-width of the 95 % interval."""
        return critical_value(self.share, self.seeds, self.images) * self.error

    def p_value(self) -> float:
        """Return the two-sided p-value of the hypothesis that the true mean is 0."""
        return min(2 * self.tail(abs(self.mean)), 1.0)

    def p_equal(self, margin: float) -> float:
        """Return the p-value of the hypothesis that the true mean is not within ±margin.

        Two one-sided tests (Schuirmann 1987): the larger p-value of the two.
        """
        return max(self.tail(margin - self.mean), self.tail(margin + self.mean))

    def tail(self, distance: float) -> float:
        """Return the probability of a mean this far above the true one; NaN without an error."""
        if np.isnan(self.error):
            return np.nan
        if self.error == 0:  # all values are equal: nothing speaks for another mean
            return float(distance <= 0)
        t = distance / self.error
        return _tail(t, self.share, self.seeds, self.images)

    def needed(self, margin: float) -> tuple[int, int] | None:
        """Return how many (seeds, images) would detect a true mean of `margin` with 80 % power.

        As many seeds as there are, or the fewest more with which ten times the images suffice;
        with one seed, images alone. None if even the largest study would not do.
        """
        found = []
        for seeds in range(self.seeds, 1 + (MOST_SEEDS if self.seeds > 1 else 1)):
            sizes = range(2, MOST_IMAGES + 1)
            first = bisect_left(sizes, True, key=lambda n: self._detects(margin, seeds, n))
            if first < len(sizes):
                found.append((seeds, sizes[first]))
                if sizes[first] <= 10 * self.images:
                    return found[-1]
        return min(found, key=lambda study: study[0] * study[1]) if found else None

    def _detects(self, margin: float, seeds: int, images: int) -> bool:
        """Return whether a study of that size detects a true mean of `margin` with 80 % power."""
        from_seeds = self.of_seed / seeds + self.of_rest / (seeds * images)
        variance = from_seeds + self.of_image / images
        share = from_seeds / variance if seeds > 1 and variance else 0.0
        reach = critical_value(share, seeds, images) + special.ndtri(POWER)
        return bool(reach * variance**0.5 <= margin)


def mean_of(values: Array) -> Mean:
    """Return the mean of values [seeds, images], all finite, by the model of this module."""
    seeds, images = values.shape
    if not values.size:
        return Mean(seeds, images, np.nan, np.nan, 0.0, np.nan, np.nan, np.nan)
    mean = float(values.mean())
    if images < 2:
        return Mean(seeds, images, mean, np.nan, 0.0, np.nan, np.nan, np.nan)
    of_images = float(values.mean(axis=0).var(ddof=1)) * seeds  # MB
    if seeds == 1:
        return Mean(1, images, mean, (of_images / images) ** 0.5, 0.0, 0.0, of_images, 0.0)
    of_seeds = float(values.mean(axis=1).var(ddof=1)) * images  # MA
    rest = values - values.mean(axis=0) - values.mean(axis=1, keepdims=True) + mean
    of_rest = float((rest**2).sum()) / ((seeds - 1) * (images - 1))  # ME
    total = max(of_seeds + max(of_images - of_rest, 0.0), of_rest)
    return Mean(
        seeds,
        images,
        mean,
        (total / values.size) ** 0.5,
        of_seeds / total if total else 0.0,
        max(of_seeds - of_rest, 0.0) / images,
        max(of_images - of_rest, 0.0) / seeds,
        of_rest,
    )


def critical_value(share: float, seeds: int, images: int) -> float:
    """Return the t above which a two-sided test at LEVEL rejects; NaN for fewer than two images.

    The weighted mean of two distributions has no closed quantile. It lies between theirs, where
    bisection finds it.
    """
    if images < 2:
        return float("nan")
    ends = [-special.stdtrit(freedom, LEVEL / 2) for freedom in (images - 1, max(seeds - 1, 1))]
    if share == 0:
        return float(ends[0])
    from scipy import optimize  # here: it takes a quarter of a second

    found = optimize.brentq(
        lambda t: _tail(t, share, seeds, images) - LEVEL / 2, 0.99 * min(ends), 1.01 * max(ends)
    )
    return float(found)


def _tail(t: float, share: float, seeds: int, images: int) -> float:
    """Return the upper tail of the weighted mean of Student's two distributions."""
    # stdtr(df, -t) is Student's lower tail at -t: the upper tail at t.
    by_image = special.stdtr(max(images - 1, 1), -t)
    by_seed = special.stdtr(max(seeds - 1, 1), -t)
    return float(share * by_seed + (1 - share) * by_image)
