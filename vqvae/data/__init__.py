"""Data modules: images or vectors in batches, for training, validation and test; and sets of vectors to search in."""
