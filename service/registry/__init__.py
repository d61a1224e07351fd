"""The registry of published models as it was when the service started."""
