"""The method contextual attention: generative inpainting in two stages (Yu et al. 2018)."""

from baselines.contextual_attention import table
from bench.registry import OBJECTIVE, TrainedNetwork, register

register(
    TrainedNetwork(
        name="contextual-attention",
        family="baseline",
        summary="contextual attention (Yu et al. 2018), coarse and refined",
        network="baselines.contextual_attention.network:TwoStages",
        parameters=table.parameters,
        learner="baselines.contextual_attention.learner:ContextualAttentionLearner",
        # Its losses are its own, and its critics have the generator's rate.
        ignores=OBJECTIVE | {"betas", "critic_lr", "critic_betas", "depth"},
    )
)
