"""Frozen trunk mode: embed every image once, keep the features, train a projection of them."""
