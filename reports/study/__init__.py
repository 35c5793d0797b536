"""The user study: people vote, blind, for the output that looks most natural, as in the paper."""
