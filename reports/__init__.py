"""Tables, plots, figures and pages, made from the records that evaluation wrote.

The paper's own numbers stand next to the measured ones.
"""
