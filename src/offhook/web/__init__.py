"""HTTP in: `app.create_web` makes the ASGI application; `port.ServerPort` is what it asks of the running server."""
