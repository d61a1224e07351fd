"""What a training is made of: the recipe, its variants, and those that come with LossAtlas."""
