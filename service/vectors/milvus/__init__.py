"""Nearest neighbors by Milvus, where one machine is not enough; the extra `distributed`."""
