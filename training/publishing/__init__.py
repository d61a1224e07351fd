"""From a run to a published model."""
