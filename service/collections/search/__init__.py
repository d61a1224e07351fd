"""Search among the items: rows of the index, and filters."""
