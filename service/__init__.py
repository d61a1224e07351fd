"""The microservice: encoded images in; embeddings, classes, neighbours and reports out."""
