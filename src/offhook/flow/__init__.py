"""What the customer asked for, and what they are told."""
