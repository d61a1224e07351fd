"""Detectors that watch a training run, and end in a sentence that a person can act on."""
