"""Access to the service: the key, and the names that the service goes by."""
