"""Many files: which go where, read and written in the background, computed in batches."""
