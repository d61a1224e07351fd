"""What this machine and its system give: processors, memory, files, environment."""
