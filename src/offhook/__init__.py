"""Offhook: programmable voice that anyone can run."""
