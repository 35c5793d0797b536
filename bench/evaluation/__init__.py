"""Metrics per image, the evaluator, and the records every table and plot is made from."""
