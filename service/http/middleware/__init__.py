"""Layers around every request: access, an id and a log line, deadlines, threads."""
