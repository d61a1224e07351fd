"""Facts of this machine and its system: processors, memory, files, environment."""
