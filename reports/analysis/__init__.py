"""Statistics of the metrics: means, intervals and tests, shared by tables, plots and pages."""
