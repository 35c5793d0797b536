"""Tables, plots and figures: pure functions of records, with the paper's own numbers beside."""
