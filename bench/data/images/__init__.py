"""Photographs: where they come from, one file a source, and how they are decoded."""
