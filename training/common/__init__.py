"""The ground of training: seeds, provenance, memory, the machine, its processes."""
