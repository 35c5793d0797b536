"""Masks: drawn families and sets of files, one file each; buckets of hole ratios; polarity."""
