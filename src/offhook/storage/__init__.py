"""What happened: rows, and nothing of what they mean. `store.Storage` opens it all."""
