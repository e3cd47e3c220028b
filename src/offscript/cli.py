"""The command line: which verb is in which module, and exit codes.

Only the module of the verb that was typed is loaded, so that a short detection does not wait for what other verbs need.

Exit codes: 0 nothing found (or no question asked), 1 anomalies found (with --exit-code), 2 usage or input error.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from importlib import import_module
from typing import Annotated, Final

import typer
from typer.exceptions import Abort, Exit, TyperException

from offscript.console import emit, handed_over, quiet_broken_pipe, say
from offscript.errors import OffscriptError

VERBS: Final = {
    "fit": "learning_verbs",
    "detect": "detect_verb",
    "scan": "learning_verbs",
    "parse": "parse_verb",
    "keys": "model_verbs",
    "evaluate": "model_verbs",
    "demo": "demo_verb",
    "explain": "explain_verb",
    "workflow": "workflow_verb",
    "reproduce": "reproduce",
    "learn": "feedback_verbs",
    "versions": "feedback_verbs",
    "undo": "feedback_verbs",
}
"""The verbs as they are listed, and the module of each, where its function is `VERB_verb`."""


def app_of(verbs: Iterable[str]) -> typer.Typer:
    """Return the command line with these verbs.

    >>> [command.name for command in app_of(["keys"]).registered_commands]
    ['keys']
    """
    app = typer.Typer(
        add_completion=False,
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
        help="Reads raw logs, learns what is normal, and says when a system goes off script.",
    )
    app.callback(invoke_without_command=True)(version)
    for verb in verbs:
        app.command(verb)(getattr(import_module(f"offscript.{VERBS[verb]}"), f"{verb}_verb"))
    return app


def version(
    context: typer.Context,
    show_version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    """Print the version when asked to."""
    if show_version:
        from offscript.version import __version__  # noqa: PLC0415  (whoever asks for it waits for it)

        emit(f"offscript {__version__}")
        raise typer.Exit(0)
    if context.invoked_subcommand is None:
        emit(context.get_help())


def main() -> None:
    """Run the command line; every expected error is one line on standard error and exit code 2."""
    # to look for plugins of pydantic, of which none has a say here, takes as long as to judge some hundred lines
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    try:
        with handed_over():
            code = app_of([_verb()] if _verb() else VERBS)(standalone_mode=False)
    except OffscriptError as error:
        say(f"offscript: {error}")
        code = 2
    except TyperException as error:
        ask = f"see `offscript {_verb()} --help`".replace("  ", " ")
        say(f"offscript: {' '.join(error.format_message().split()).rstrip('.')}; {ask}")
        code = 2
    except Exit as stop:
        code = stop.exit_code
    except (Abort, KeyboardInterrupt):
        say("offscript: stopped")
        code = 130
    except BrokenPipeError:
        quiet_broken_pipe()
        code = 0
    sys.exit(code if isinstance(code, int) else 0)


def _verb() -> str:
    """The verb that was typed; nothing where it is none."""
    return next((word for word in sys.argv[1:2] if word in VERBS), "")


def __getattr__(name: str) -> typer.Typer:
    """The whole command line as `app`, for those who call it with arguments of their own."""
    if name != "app":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    app = globals()["app"] = app_of(VERBS)
    return app
