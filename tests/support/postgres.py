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

from gateway.demo.postgres import owner, programs

GIVEN_URL = os.environ.get("VENDGATE_TEST_POSTGRES_URL", "")
_SETTINGS = (
    "-c fsync=off -c full_page_writes=off -c listen_addresses=127.0.0.1 -c max_connections=40 "
    "-c autovacuum=off"
)


class CannotStart(Exception):
    """The programs are there and do not run here; the text is theirs."""


def program(name: str) -> str:
    """Return the path of one of PostgreSQL's programs; ask ``available()`` first."""
    found = programs()
    assert found is not None, "ask available() first"
    return str(found / name)


def available() -> bool:
    """Whether ``running`` can give a database."""
    if GIVEN_URL:
        return True
    return programs() is not None


@contextlib.contextmanager
def running() -> Iterator[str]:
    """Give the URL of a database, of a server that lives as long as the context if none was named.
    Raises CannotStart.
    """
    if GIVEN_URL:
        yield GIVEN_URL
        return
    folder_of_programs, user = programs(), owner()
    assert folder_of_programs is not None, "ask available() first"
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
            command = [str(folder_of_programs / program), *arguments]
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
