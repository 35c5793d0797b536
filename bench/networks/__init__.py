"""Pieces of networks that several methods share."""
