"""Audits of labeled images, for training and service alike: what is measured, without PyTorch."""
