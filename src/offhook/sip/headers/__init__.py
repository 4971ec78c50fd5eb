"""Typed header fields, one file per family, named as the RFC names them."""
