"""HTTP in front of the engines."""
