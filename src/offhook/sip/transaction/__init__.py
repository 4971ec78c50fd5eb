"""RFC 3261 section 17 with RFC 6026: one machine per file, each a literal table."""
