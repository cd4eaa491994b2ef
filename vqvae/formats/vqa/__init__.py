"""Archives: many images in one file, made of blocks."""
