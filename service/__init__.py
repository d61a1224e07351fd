"""The microservice: encoded images in; embeddings, classes, neighbours and reports out."""

from models.telemetry import send_nothing

send_nothing()
