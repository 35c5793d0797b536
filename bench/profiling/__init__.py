"""How fast the suite is, and what each method costs."""
