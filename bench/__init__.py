"""The engine of the suite: data, training, evaluation and runs. It knows no particular method."""

__version__ = "0.1.0"
