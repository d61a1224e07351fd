"""Maps of collections: their items on a plane."""
