"""The parts of a request: its body, its parameters, what it accepts."""
