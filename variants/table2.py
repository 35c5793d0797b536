"""The eight variants of Table 2 (Paris StreetView), each given by its difference from `full`."""

from variants.lbam import variant

variant("full", "LBAM: learnable bidirectional attention maps", reference=True)
# Equations 1, 4 and 5 in place of learned filters and of equations 9 and 8.
variant(
    "unlearned",
    "mask filters fixed at 1/16 with fA, fM of partial convolution, both ways",
    learned_masks=False,
    attention="inverse",
    mask_update="binary",
)
variant("forward", "forward attention only: no reverse attention in the decoder", reverse=False)
variant("no-gan", "no adversarial loss", adversarial=False)
variant("sigmoid", "sigmoid in place of gA", attention="sigmoid")
variant("lrelu", "leaky ReLU in place of gA", attention="lrelu")
variant("relu", "ReLU in place of gA", attention="relu")
variant("3x3", "3x3 filters in the mask branches in place of 4x4", mask_kernel=3)
