"""Errors, files, seeds, registries and the device, which every other package may use."""
