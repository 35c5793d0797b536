"""Measurements of how fast the suite is, and of what each method costs."""
