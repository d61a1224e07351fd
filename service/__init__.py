"""The microservice: encoded images in; embeddings, classes, neighbors and reports out."""

from models.telemetry import send_nothing

send_nothing()
