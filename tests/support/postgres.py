"""A PostgreSQL of the tests' own, where its programs are installed: started for the tests, thrown
away after them.

Flows in: nothing, or ``VENDGATE_TEST_POSTGRES_URL``, which names a database that may be emptied.
Flows out: the URL of an empty database.
"""

import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

GIVEN_URL = os.environ.get("VENDGATE_TEST_POSTGRES_URL", "")
_NOBODY = "postgres"
"""PostgreSQL does not run as root; its Debian package brings this user."""
_SETTINGS = (
    "-c fsync=off -c full_page_writes=off -c listen_addresses=127.0.0.1 -c max_connections=40 "
    "-c autovacuum=off"
)


class CannotStart(Exception):
    """The programs are there and do not run here; the text is theirs."""


def _programs() -> Path | None:
    """Return the folder of ``initdb`` and ``pg_ctl``; Debian keeps them out of the PATH."""
    named = shutil.which("initdb")
    found = (
        [Path(named)]
        if named
        else sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), reverse=True)
    )
    return found[0].resolve().parent if found else None


def _user() -> str | None:
    """Return the user to become, None to stay who one is. Raises KeyError if there is none to
    become.
    """
    if os.geteuid() != 0:
        return None
    import pwd

    return pwd.getpwnam(_NOBODY).pw_name


def program(name: str) -> str:
    """Return the path of one of PostgreSQL's programs; ask ``available()`` first."""
    programs = _programs()
    assert programs is not None, "ask available() first"
    return str(programs / name)


def available() -> bool:
    """Whether ``running`` can give a database."""
    if GIVEN_URL:
        return True
    try:
        _user()
    except KeyError:
        return False
    return _programs() is not None


@contextlib.contextmanager
def running() -> Iterator[str]:
    """Give the URL of a database, of a server that lives as long as the context if none was named.
    Raises CannotStart.
    """
    if GIVEN_URL:
        yield GIVEN_URL
        return
    programs, user = _programs(), _user()
    assert programs is not None, "ask available() first"
    with (
        tempfile.TemporaryDirectory(prefix="vendgate-postgres-") as folder,
        socket.socket() as held,
    ):
        if user is not None:
            shutil.chown(folder, user)
        held.bind(("127.0.0.1", 0))
        port = held.getsockname()[1]
        held.close()

        def run(program: str, *arguments: str) -> None:
            command = [str(programs / program), *arguments]
            try:
                done = subprocess.run(
                    command,
                    cwd=folder,
                    user=user,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    timeout=60,
                    check=False,
                )
            except (OSError, subprocess.SubprocessError) as error:
                raise CannotStart(f"{' '.join(command)}: {error}") from error
            if done.returncode != 0:
                raise CannotStart(f"{' '.join(command)}\n{done.stdout.decode()}")

        data = f"{folder}/data"
        run(
            "initdb",
            "--pgdata",
            data,
            "--username",
            "vendgate",
            "--auth",
            "trust",
            "--encoding",
            "UTF8",
            "--no-sync",
        )
        run(
            "pg_ctl",
            "--pgdata",
            data,
            "--log",
            f"{folder}/log",
            "--wait",
            "--options",
            f"{_SETTINGS} -p {port} -k {folder}",
            "start",
        )
        try:
            yield f"postgresql://vendgate@127.0.0.1:{port}/postgres"
        finally:
            run("pg_ctl", "--pgdata", data, "--mode", "immediate", "stop")
