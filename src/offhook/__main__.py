"""`python -m offhook` is `offhook`. Nothing is collected while a thousand modules are read."""

from offhook.runtime.garbage import no_collections

__all__ = ["main"]


def main() -> None:
    """The program `offhook`."""
    no_collections()
    from offhook.cli.main import main as program

    program()


if __name__ == "__main__":
    main()
