"""The labels of a collection's items, named by their neighbors, and how good that is."""
