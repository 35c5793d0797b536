"""Sweeps: many runs that one command or file describes, and the launchers that carry them out."""
