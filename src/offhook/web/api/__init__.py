"""One file per API that is spoken."""
