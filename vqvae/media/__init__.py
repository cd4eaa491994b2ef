"""Image files, and what belongs to an image besides its pixels."""
