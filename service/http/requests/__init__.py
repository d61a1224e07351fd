"""What a request says: its body, its parameters, what it accepts."""
