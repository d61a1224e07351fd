"""Everything that a GPU can show of LossAtlas, in one run and one file."""
