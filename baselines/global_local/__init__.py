"""The method Global&Local: globally and locally consistent completion (Iizuka et al. 2017)."""

from baselines.global_local import table
from bench.registry import OBJECTIVE, TrainedNetwork, register

register(
    TrainedNetwork(
        name="global-local",
        family="baseline",
        summary="Global&Local (Iizuka et al. 2017), in its three phases",
        network="baselines.global_local.network:Completion",
        parameters=table.parameters,
        limits=table.discriminators_fit,
        learner="baselines.global_local.learner:GlobalLocalLearner",
        # Its losses are its own, and Adadelta sets its own rates.
        ignores=OBJECTIVE | {"lr", "betas", "critic_lr", "critic_betas", "depth"},
    )
)
