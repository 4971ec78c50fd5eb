"""Chaos: a real server that is killed, and customers that fail, under calls; and what must hold when it is over."""
