"""The world: the only place with sockets, clocks, tasks and chance."""
