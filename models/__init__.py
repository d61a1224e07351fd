"""The contract between training and service: what a published model is, says and accepts."""

from models.telemetry import send_nothing

send_nothing()
