"""What the registry of published models held when the service started."""
