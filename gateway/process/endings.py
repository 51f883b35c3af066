"""How a command of the command line ends: errors that a person can mend as sentences, each with its
status.
"""

import errno
import os
import select
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Annotated

import typer

from gateway.process.refusals import SettingsRefused
from gateway.process.signals import Interruption, interrupted_alike
from gateway.process.texts import plain_lines, without_passwords

ConfigFile = Annotated[
    str | None,
    typer.Option(
        "--config", metavar="FILE", help="A TOML file; else the one that VENDGATE_CONFIG names."
    ),
]


def _named(name: str | None) -> str | None:
    if name is not None and not name.strip():  # a script's variable that was not set
        raise typer.BadParameter("It is empty: name who wants it, or leave it out.")
    return name


By = Annotated[
    str | None,
    typer.Option(
        "--by", metavar="NAME", callback=_named, help="Who wants it; else who is logged in."
    ),
]
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
LOST = 75
"""Try again (EX_TEMPFAIL): the gateway ran and lost its Ray or its machines."""
OWNED = 69
"""Another installation owns the machines (EX_UNAVAILABLE): started again, it looks again."""


@contextmanager
def sentences(*, trouble: int = 1) -> Iterator[None]:
    """Let errors that a person can mend end the program with their sentences and the status
    ``trouble``, and a signal with one of its own, 128 and its number; anything else is a defect
    and shows where. Whoever closes the pipe that it writes to has read enough: it ends without a
    word, as by SIGPIPE.
    """
    with interrupted_alike() as interruption, _sentences(trouble, interruption):
        yield


@contextmanager
def _sentences(trouble: int, interruption: Interruption) -> Iterator[None]:
    try:
        with _written_out():
            yield
    except SettingsRefused as error:
        for problem in error.problems:
            complain(problem)
        raise typer.Exit(2) from None
    except _lost() as error:
        complain(str(error))
        raise typer.Exit(LOST) from None
    except _owned() as error:
        complain(str(error))
        raise typer.Exit(OWNED) from None
    except _mendable() as error:
        if isinstance(error, BrokenPipeError) and _nobody_reads():
            _write_nowhere()
            raise typer.Exit(128 + signal.SIGPIPE) from None
        complain(_sentence(error))
        raise typer.Exit(trouble) from None
    except KeyboardInterrupt:
        number = signal.Signals(interruption.number or signal.SIGINT)
        complain(f"Ended by {number.name} before it was done: what it had begun can be done again.")
        raise typer.Exit(128 + number) from None


@contextmanager
def _written_out() -> Iterator[None]:
    """Write what was printed before the program ends, where it would be too late for a sentence."""
    try:
        yield
    except typer.Exit:
        sys.stdout.flush()
        raise
    sys.stdout.flush()


def _nobody_reads() -> bool:
    """Return whether standard output is a pipe that was closed at its other end."""
    with suppress(OSError, ValueError):
        asked = select.poll()
        asked.register(sys.stdout.fileno(), 0)
        return any(found & select.POLLERR for _, found in asked.poll(0))
    return False


def _write_nowhere() -> None:
    """Let what is still to be written not fail again when Python ends."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


def _sentence(error: Exception) -> str:
    """Return what to tell of an error: of a file, its name and what is wrong with it."""
    if isinstance(error, OSError) and error.filename and error.strerror:
        return f"{error.filename} cannot be used ({error.strerror})."
    if isinstance(error, OSError) and error.errno in _FULL:
        return f"What it writes has no room ({error.strerror}): make some, then do it again."
    return str(error)


def _mendable() -> tuple[type[Exception], ...]:
    """Return the errors that are sentences. Those of parts that were not imported cannot have been
    raised.
    """
    named = {
        "actors.ports": "StoreError",
        "alipay_client.errors": "AlipayError",
        "gateway.books.database": "SchemaMismatch",
        "gateway.certify.server": "NotListening",
        "gateway.demo.qr": "NoCode",
        "gateway.fleet.errors": "CallRefused",
        "gateway.links.hosts": "HostsFailed",
        "gateway.office.asset_command": "NotAdded",
        "gateway.past.plan": "PastFailed",
        "gateway.posters.refusals": "PosterRefused",
        "gateway.process.addresses": "ListenRefused",
        "gateway.serving.drain_command": "NotDrained",
        "gateway.trust.authority": "CannotIssue",
        "gateway.web.asking": "Refused",
        "storage.lake.duck": "LakeError",
    }
    return (OSError, *_imported(named))


def _lost() -> tuple[type[Exception], ...]:
    return _imported({"gateway.serving.wiring": "GatewayLost"})


def _owned() -> tuple[type[Exception], ...]:
    return _imported({"gateway.links.turn": "OwnedElsewhere"})


def _imported(named: dict[str, str]) -> tuple[type[Exception], ...]:
    return tuple(
        getattr(sys.modules[module], name)
        for module, name in named.items()
        if module in sys.modules
    )


def complain(text: str) -> None:
    """Say what is wrong, in plain letters and without passwords."""
    print(without_passwords(plain_lines(text)), file=sys.stderr)
