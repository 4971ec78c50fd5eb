"""The INVITE session, split by what happens in it."""
