"""The eight variants of Table 2 (Paris StreetView), each a diff from `full`."""

from dataclasses import replace

from variants.lbam import FULL, LBAM, variant


@variant("full", "LBAM: learnable bidirectional attention maps")
def full() -> LBAM:
    """The paper's model."""
    return FULL


@variant("unlearned", "mask filters fixed at 1/16 with fA, fM of partial convolution, both ways")
def unlearned() -> LBAM:
    """Equations 1, 4 and 5 in place of 8, 9 and learned filters."""
    return replace(FULL, learned_masks=False, attention="inverse", mask_update="binary")


@variant("forward", "forward attention only: no reverse attention in the decoder")
def forward() -> LBAM:
    """The decoder's own half is multiplied by one, as in PConv."""
    return replace(FULL, reverse=False)


@variant("no-gan", "no adversarial loss")
def no_gan() -> LBAM:
    """Equations 14-16 alone."""
    return replace(FULL, adversarial=False)


@variant("sigmoid", "sigmoid in place of gA")
def sigmoid() -> LBAM:
    """Attention in (0, 1)."""
    return replace(FULL, attention="sigmoid")


@variant("lrelu", "leaky ReLU in place of gA")
def lrelu() -> LBAM:
    """Attention that may be negative."""
    return replace(FULL, attention="lrelu")


@variant("relu", "ReLU in place of gA")
def relu() -> LBAM:
    """Attention in [0, inf)."""
    return replace(FULL, attention="relu")


@variant("3x3", "3x3 filters in the mask branches in place of 4x4")
def three_by_three() -> LBAM:
    """As PConv's filters, with stride 2 and padding 1."""
    return replace(FULL, mask_kernel=3)
