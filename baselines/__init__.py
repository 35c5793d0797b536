"""Methods the variants are compared with; each plain module is discovered by `bench.registry`."""
