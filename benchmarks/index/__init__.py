"""Collections and their indexes, beside raw FAISS and raw SQLite: `python -m benchmarks.index`."""
