"""The page on the commands, from the commands themselves."""

from collections.abc import Iterator

from typer import Typer
from typer.core import TyperCommand
from typer.main import get_group

from axnn.cli.app import DeferredCommand
from axnn.cli.app import cli as axnn
from docs.tables.cells import markdown
from qcnpe.cli import cli as qcnpe

_INTRODUCTION = """# Commands

Generated from the commands, which print the same with `--help`. Every command takes `--quiet` (no
progress, no table) and, where it has a result, `--json`. An error that you can correct is one line
on stderr and status 1; wrong usage is status 2. Ctrl-C ends a command and its tools; the next call
continues where it ended.

`axnn --install-completion` and `qcnpe --install-completion` install completion for the shell.
"""


def commands_page() -> str:
    """The page's text."""
    parts = [_INTRODUCTION]
    for name, cli in (("axnn", axnn), ("qcnpe", qcnpe)):
        parts += [f"## {name}\n", f"{cli.info.help}\n"]
        parts += [_section(name, command) for command in _commands(cli)]
    return "\n".join(parts)


def _commands(cli: Typer) -> Iterator[TyperCommand]:
    for command in get_group(cli).commands.values():
        found = command.load() if isinstance(command, DeferredCommand) else command
        assert isinstance(found, TyperCommand)
        yield found


def _section(tool: str, command: TyperCommand) -> str:
    """A command: what it does, its arguments and options, examples."""
    context = command.context_class(command, info_name=f"{tool} {command.name}")
    rows = []
    for parameter in command.get_params(context):
        record = parameter.get_help_record(context)
        if record is not None and parameter.name != "help":
            name, text = record
            rows.append([f"`{name}`", " ".join(text.split()).replace("|", "\\|")])
    lines = [f"### {tool} {command.name}", "", command.help or "", ""]
    if rows:
        lines += [markdown(["argument or option", "meaning"], rows), ""]
    examples = [line.strip().removeprefix("Example: ") for line in _paragraphs(command.epilog)]
    if examples:
        lines += ["```sh", *examples, "```", ""]
    return "\n".join(lines)


def _paragraphs(text: str | None) -> list[str]:
    return [part for part in (text or "").split("\n\n") if part.strip()]
