"""From labeled images to published embedders: data, loss, trainer, evaluation, export."""

from models.telemetry import send_nothing

send_nothing()
