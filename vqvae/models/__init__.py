"""Models: their components by name, their files, and the models that come with the package."""
