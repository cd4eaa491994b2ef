"""Models: their components by name, and their files."""
