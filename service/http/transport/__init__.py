"""Bytes on a connection: the protocol, its limits in time and in bytes."""
