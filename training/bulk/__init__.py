"""Embed every image below a folder with a published model, on one machine or on a Ray cluster."""
