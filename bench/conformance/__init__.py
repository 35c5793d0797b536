"""Checks of the contract that every method keeps: `python -m bench check NAME`."""
