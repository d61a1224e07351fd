"""Observability for operators: metrics and traces."""
