"""A page on this machine: paint a hole into a picture, and see how methods fill it."""
