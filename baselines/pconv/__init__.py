"""The method PConv: partial convolutions (Liu et al. 2018), under two objectives.

`pconv` has its own objective, and `pconv-common` that of the variants.
"""

from typing import Any

from baselines.pconv import objective, table
from bench.registry import TrainedNetwork, register

NETWORK: dict[str, Any] = {
    "family": "baseline",
    "network": "baselines.pconv.network:PConvUNet",
    "parameters": table.parameters,
    "bounded": False,  # The last layer is linear.
    "limits": "bench.networks.limits:unet_bottleneck",
}
"""Fields that both methods share."""

register(
    TrainedNetwork(
        name="pconv",
        summary="PConv (Liu et al. 2018), its own loss and fine-tuning",
        learner="baselines.pconv.learner:PConvLearner",
        ignores=frozenset(
            {"hole", "adversarial", "gradient_penalty", "critic_end", "perceptual_distance"}
            | {"over_layers", "features_of", "normalise"}
            | {"critic_lr", "critic_betas", "critic_width"}
            # Its weights and Adam's betas are its own.
            | {"pixel", "perceptual", "style", "betas"}
        ),
        departures=objective.departures,
        **NETWORK,
    )
)
register(
    TrainedNetwork(
        name="pconv-common",
        summary="PConv's network under the common objective, as LBAM's variants",
        **NETWORK,
    )
)
