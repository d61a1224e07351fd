"""Measurements: one folder per question, each with one command; never a gate on a time."""

from models.telemetry import send_nothing

send_nothing()
