"""Losses, critic and the trainer that every trainable method shares."""
