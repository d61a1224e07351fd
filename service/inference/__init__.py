"""Models that answer: loading, decoding, batching, sessions."""
