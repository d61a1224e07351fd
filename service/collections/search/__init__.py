"""What a search finds among the items: rows of the index, and filters."""
