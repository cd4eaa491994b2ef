"""Hostile inputs of every kind: what a file or a command line may do to the programs that read it."""
