"""All statistics: nothing else in `reports` computes a mean, an interval or a test."""
