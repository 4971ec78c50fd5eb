"""SIP by RFC 3261 and its updates: bytes and time in; bytes, events and a deadline out. Never reads a body."""
