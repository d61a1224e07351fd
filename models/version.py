"""The version of LossAtlas: the one place that states it. `pyproject.toml` repeats it by a test."""

VERSION = "0.1.0"
