"""A run as it goes, written down for whoever follows it; a module for each tracker.

None of them is imported unless somebody asked for it.
"""
