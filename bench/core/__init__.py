"""Errors, files, seeds and the device: what every other room may use."""
