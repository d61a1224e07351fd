"""What follows the items and looks after their index."""
