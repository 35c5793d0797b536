"""LBAM and its ablations: what the paper varies.

Each plain module here is discovered by `bench.registry`; the network itself is in `variants.lbam`.
To add a variant, add a file with one definition under `@variant` (see `variants.table2`).
"""
