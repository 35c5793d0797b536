"""The checks of the contract that every method keeps, run by `python -m bench check NAME`."""
