"""Masks: generated families, files, and published sets."""
