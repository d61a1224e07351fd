"""Recipes: their fields, their variants, and those that come with LossAtlas."""
