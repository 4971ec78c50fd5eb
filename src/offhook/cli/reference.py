"""`docs/reference/cli.md`, generated from the commands themselves."""

from collections.abc import Iterator
from typing import Any

import typer

from offhook.cli.main import app

__all__ = ["cli_reference"]


def cli_reference() -> str:
    """The whole page."""
    lines = [
        "# Commands",
        "",
        "Generated from `src/offhook/cli`; change it there. Every command has `--help`;",
        "`offhook --version` says which it is.",
        "",
        "Commands ask the running server, so that a change is in force at once; when none runs, they work on the data",
        "in `data_dir` themselves. Output is for people; `--json` is for programs. Errors are a sentence on standard",
        "error and exit status 1; a command that was written wrongly has exit status 2.",
        "",
    ]
    for name, command in _commands(typer.main.get_command(app), "offhook"):
        lines += _section(name, command)
    return "\n".join(lines).rstrip() + "\n"


def _commands(command: Any, name: str) -> Iterator[tuple[str, Any]]:
    children = getattr(command, "commands", None)
    if children is None:
        yield name, command
        return
    if command.invoke_without_command and command.callback is not None and name != "offhook":
        yield name, command
    for child_name, child in children.items():
        yield from _commands(child, f"{name} {child_name}")


def _section(name: str, command: Any) -> Iterator[str]:
    arguments = [parameter for parameter in command.params if parameter.param_type_name == "argument"]
    options = [parameter for parameter in command.params if parameter.param_type_name == "option"]
    yield f"## {' '.join([name, *(_argument(argument) for argument in arguments)])}"
    yield ""
    said, _, example = (command.help or "").partition("Example: ")
    yield " ".join(said.split())
    yield ""
    if example:
        yield f"    {example.strip()}"
        yield ""
    yield "| | |"
    yield "|---|---|"
    for parameter in [*arguments, *options]:
        yield f"| {_names(parameter)} | {_cell(getattr(parameter, 'help', None) or '')} |"
    yield ""


def _argument(parameter: Any) -> str:
    return str(parameter.metavar or parameter.name.upper())


def _names(parameter: Any) -> str:
    if parameter.param_type_name == "argument":
        return f"`{_argument(parameter)}`"
    flag = bool(getattr(parameter, "is_flag", False))
    value = "" if flag else f" {parameter.metavar or 'VALUE'}"
    names = ", ".join(f"`{option}{value}`".replace("|", "\\|") for option in parameter.opts)
    extra = " (required)" if parameter.required else ""
    return names + extra


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
