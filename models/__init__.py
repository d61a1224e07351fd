"""The contract between training and service: what a published model is, says and accepts."""
