"""The metrics, the evaluator, and the records from which every table and plot is made."""
