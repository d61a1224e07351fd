"""Training beside what one might write or install: `python -m benchmarks.training`."""
