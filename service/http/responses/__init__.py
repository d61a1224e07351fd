"""The parts of an answer: its schemas, its problems, and OpenAPI's view of both."""
