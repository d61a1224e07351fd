"""Networks from a recipe: architectures by name, which know no files."""
