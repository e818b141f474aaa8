"""Rows, cards and lines made from engine data; the only place where text from a cluster becomes text for a terminal."""
