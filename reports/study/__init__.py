"""The user study, as in the paper.

People vote for the output that looks most natural, without knowing which method made it.
"""
