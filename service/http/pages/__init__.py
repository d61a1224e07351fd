"""Pages for people, from the same reports."""
