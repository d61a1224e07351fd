"""Upkeep of a collection's index, which follows the items."""
