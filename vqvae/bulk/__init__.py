"""Processing many files: inputs and outputs, background reading and writing, batches."""
