"""Fetching and decoding sound into prepared frames."""
