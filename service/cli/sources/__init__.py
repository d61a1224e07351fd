"""Sources of a command's items."""
