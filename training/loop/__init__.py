"""The training loop, what watches it and what it remembers."""
