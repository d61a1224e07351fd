"""The search for a loss's parameters."""
