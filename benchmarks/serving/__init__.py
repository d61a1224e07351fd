"""This service, the floors and its peers, side by side: `python -m benchmarks.serving`."""
