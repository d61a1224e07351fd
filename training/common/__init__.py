"""What everything stands on: seeds, provenance, memory, the machine, its processes."""
