"""The formulas of the distances, from the features of true and filled images.

Both are [N,F], float32, on the CPU, and row i of both is of one test pair.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from torch import Tensor

from bench.evaluation.distances.table import SEED, SUBSET, SUBSETS

Formula = Callable[[Tensor, Tensor], dict[str, float]]


def fid(true: Tensor, filled: Tensor) -> dict[str, float]:
    """Return the Fréchet Inception Distance (Heusel et al. 2017), by torch-fidelity.

    It is |m1 - m2|² + tr(C1 + C2 - 2 (C1 C2)^½) of the features' means and covariances.
    """
    from torch_fidelity import metric_fid

    statistics = [metric_fid.fid_features_to_statistics(x) for x in (true, filled)]
    found = metric_fid.fid_statistics_to_metric(*statistics, verbose=False)
    return {"fid": float(found[metric_fid.KEY_METRIC_FID])}


def kid(true: Tensor, filled: Tensor, size: int = SUBSET) -> dict[str, float]:
    """Return the Kernel Inception Distance (Bińkowski et al. 2018), by torch-fidelity.

    It is the unbiased squared MMD with the kernel (x·y/F + 1)³, as the mean over SUBSETS random
    subsets of `size` images.
    """
    from torch_fidelity import metric_kid

    found = metric_kid.kid_features_to_metric(
        true, filled, kid_subsets=SUBSETS, kid_subset_size=size, rng_seed=SEED, verbose=False
    )
    return {"kid": float(found[metric_kid.KEY_METRIC_KID_MEAN])}


def discriminative_scores(true: Tensor, filled: Tensor) -> dict[str, float]:
    """Return the paired and unpaired inception discriminative scores (Zhao et al. 2021), in [0,1].

    A linear support vector machine learns to tell true features from filled ones. U-IDS is the
    share of these same images that it gets wrong, at most about a half, and P-IDS the share of
    pairs whose filled image it holds for more true than the true one. Settings are those of the
    authors' code.
    """
    from sklearn.svm import LinearSVC

    inputs = np.concatenate([true.numpy(), filled.numpy()])
    targets = np.repeat([1, 0], [len(true), len(filled)])
    # The primal problem, whose solution depends on no random state.
    machine = LinearSVC(dual=False).fit(inputs, targets)
    of_true, of_filled = (machine.decision_function(x.numpy()) for x in (true, filled))
    return {
        "p_ids": float((of_filled > of_true).mean()),
        "u_ids": float(1 - machine.score(inputs, targets)),
    }


FORMULAS: Mapping[tuple[str, ...], Formula] = {
    ("fid",): fid,
    ("kid",): kid,
    ("p_ids", "u_ids"): discriminative_scores,
}
"""Formulas by the names of the distances that each returns, which need equally many images."""
