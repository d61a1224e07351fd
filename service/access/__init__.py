"""Who may ask: the key, and the names that the service goes by."""
