"""The command line: one file per group of commands; `main.py` puts them together."""

from offhook.cli.main import main

__all__ = ["main"]
