"""The methods that the variants are compared with; `bench.registry` finds each without a list."""
