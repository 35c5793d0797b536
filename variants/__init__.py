"""LBAM and its ablations, the variants that the paper compares.

`bench.registry` finds each module here without a list; the network itself is in `variants.lbam`.
To add a variant, add a file with one call of `variant` (see `variants.table2`).
"""
