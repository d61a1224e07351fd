"""From the command line to a service that accepts: what is checked, and what a process serves."""
