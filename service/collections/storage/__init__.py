"""A collection's items on disk: files, transactions, locks, copies."""
