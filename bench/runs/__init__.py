"""Run folders, what identifies a run, and how one is made."""
