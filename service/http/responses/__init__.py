"""What an answer says: its schemas, its problems, what OpenAPI knows of both."""
