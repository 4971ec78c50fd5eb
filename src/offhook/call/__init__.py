"""Call control, in nobody's protocol: what is happening."""
