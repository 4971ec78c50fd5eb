"""What happened: rows, and nothing of what they mean."""
