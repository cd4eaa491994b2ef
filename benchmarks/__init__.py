"""Measurements against peers and over time; each is one command that prints a table and writes JSON."""
