"""Photographs of a user: their files, folders of them, and what is told about each."""
