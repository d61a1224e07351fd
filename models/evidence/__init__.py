"""The sections of a report: one page of values for each question it answers."""
