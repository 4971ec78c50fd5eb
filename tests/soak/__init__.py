"""A soak: a real server under a seeded mix of calls, good and bad, and what must hold when all of them are over."""
