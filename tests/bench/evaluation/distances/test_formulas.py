from itertools import product

import numpy as np
import pytest
import torch
from torch import Tensor

from bench.evaluation.distances.formulas import FORMULAS, discriminative_scores, fid, kid
from bench.evaluation.distances.table import DISTANCES


def standard(count: int, features: int, seed: int = 0) -> np.ndarray:
    """[N,F] whose sample mean is 0 and whose sample covariance is the identity, exactly."""
    drawn = np.random.default_rng(seed).normal(size=(count, features))
    drawn -= drawn.mean(0)
    return drawn @ np.linalg.inv(np.linalg.cholesky(np.cov(drawn, rowvar=False))).T


def tensor(values: np.ndarray) -> Tensor:
    return torch.from_numpy(np.asarray(values, np.float32))


def test_every_distance_has_a_formula() -> None:
    names = [name for names in FORMULAS for name in names]
    assert names == [distance.name for distance in DISTANCES]
    least = {distance.name: distance.least for distance in DISTANCES}
    assert all(len({least[name] for name in names}) == 1 for names in FORMULAS)


def test_fid_of_two_gaussians_is_the_closed_form() -> None:
    mean = np.array([1.0, -2.0, 0.5, 3.0])
    one, other = np.array([1.0, 4.0, 9.0, 0.25]), np.array([4.0, 1.0, 0.0, 2.25])
    true = tensor(standard(50, 4) * np.sqrt(one))
    filled = tensor(standard(60, 4, seed=1) * np.sqrt(other) + mean)
    # For diagonal covariances tr(C1 + C2 - 2 (C1 C2)^½) is the sum of (√c1 - √c2)².
    expected = (mean**2).sum() + ((np.sqrt(one) - np.sqrt(other)) ** 2).sum()
    assert fid(true, filled)["fid"] == pytest.approx(expected, rel=1e-4)
    assert fid(true, true)["fid"] == pytest.approx(0, abs=1e-4)


def test_fid_of_covariances_that_do_not_commute() -> None:
    one, other = np.array([[2.0, 1.0], [1.0, 3.0]]), np.array([[1.0, -0.5], [-0.5, 4.0]])
    true, filled = (
        tensor(standard(40, 2) @ np.linalg.cholesky(covariance).T) for covariance in (one, other)
    )
    # tr √M = √(tr M + 2 √det M) for a 2x2 matrix M.
    product = one @ other
    root = np.sqrt(np.trace(product) + 2 * np.sqrt(np.linalg.det(product)))
    expected = np.trace(one) + np.trace(other) - 2 * root
    assert fid(true, filled)["fid"] == pytest.approx(expected, rel=1e-4)


def unbiased_mmd(true: np.ndarray, filled: np.ndarray) -> float:
    """The unbiased estimate of Gretton et al. (2012), pair by pair."""
    count, features = true.shape

    def mean(one: np.ndarray, other: np.ndarray, same: bool) -> float:
        terms = [
            (one[i] @ other[j] / features + 1) ** 3
            for i, j in product(range(count), range(count))
            if not (same and i == j)
        ]
        return float(np.mean(terms))

    return mean(true, true, True) + mean(filled, filled, True) - 2 * mean(true, filled, False)


def test_kid_is_the_unbiased_estimate() -> None:
    stream = np.random.default_rng(3)
    true, filled = stream.normal(size=(12, 5)), stream.normal(1, 2, size=(12, 5))
    found = kid(tensor(true), tensor(filled), size=12)["kid"]  # each subset is the whole
    assert found == pytest.approx(unbiased_mmd(true, filled), rel=1e-4)


def test_kid_of_equal_distributions_is_about_zero_and_seeded() -> None:
    stream = np.random.default_rng(4)
    one, other, far = (tensor(stream.normal(mean, 1, size=(400, 6))) for mean in (0, 0, 1))
    near = kid(one, other, size=100)["kid"]
    assert abs(near) < 0.05 and kid(one, far, size=100)["kid"] > 1
    assert kid(one, other, size=100)["kid"] == near


def test_scores_of_identical_and_of_separable_features() -> None:
    same = tensor(np.random.default_rng(5).normal(size=(200, 3)))
    # A filled image that is the true one is not more true.
    assert discriminative_scores(same, same) == {"p_ids": 0.0, "u_ids": 0.5}
    assert discriminative_scores(same, same - 100) == {"p_ids": 0.0, "u_ids": 0.0}


def test_scores_count_pairs_and_images_that_deceive() -> None:
    true, filled = np.ones((100, 1)), -np.ones((100, 1))
    true[:5], filled[:15] = -1, 1  # 5 pairs are swapped, and 10 look both true
    found = discriminative_scores(tensor(true), tensor(filled))
    assert found["p_ids"] == pytest.approx(0.05) and found["u_ids"] == pytest.approx(20 / 200)
