"""Models out: a run's network as a folder that others load, with a card that says what it is."""
