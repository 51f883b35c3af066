"""A PgBouncer in transaction mode before a PostgreSQL, where it is installed: each transaction gets
whichever of few connections to the server is free.
"""

import contextlib
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy import make_url

from gateway.demo.postgres import owner
from storage.database.urls import TRANSACTION
from tests.support.patience import HANGS_AFTER_S

SERVER_CONNECTIONS = 3
"""So many to the server; clients have more, so that they do share."""


def program() -> str | None:
    """Return PgBouncer's path; None if it is not installed."""
    places = (os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin")
    return shutil.which("pgbouncer", path=os.pathsep.join(places))


@contextlib.contextmanager
def pooled(url: str) -> Iterator[str]:
    """Give the URL of the same database behind a pooler that lives as long as the context."""
    path, user, server = program(), owner(), make_url(url)
    assert path is not None, "ask program() first"
    with tempfile.TemporaryDirectory(prefix="vendgate-pooler-") as name, socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        port = held.getsockname()[1]
        held.close()
        folder = Path(name)
        password = f" password='{server.password}'" if server.password else ""
        (folder / "users").write_text(f'"{server.username}" "{server.password or ""}"\n')
        (folder / "ini").write_text(
            f"[databases]\n"
            f"{server.database} = host={server.host} port={server.port or 5_432} "
            f"user={server.username}{password}\n"
            f"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n"
            f"auth_type = any\nauth_file = {folder}/users\npool_mode = transaction\n"
            f"default_pool_size = {SERVER_CONNECTIONS}\nlogfile = {folder}/log\n"
        )
        if user is not None:  # it does not run as root
            for one in (folder, *folder.iterdir()):
                shutil.chown(one, pwd.getpwnam(user).pw_uid)
        with (folder / "said").open("wb") as said:
            process = subprocess.Popen([path, str(folder / "ini")], user=user, stderr=said)
        try:
            _listens(port, process, folder / "said")
            to = server.set(host="127.0.0.1", port=port)
            asked = to.update_query_dict({"pooler": TRANSACTION})
            yield asked.render_as_string(hide_password=False)
        finally:
            process.terminate()
            process.wait()


def _listens(port: int, process: "subprocess.Popen[bytes]", said: Path) -> None:
    until = time.monotonic() + HANGS_AFTER_S
    while True:
        assert process.poll() is None, said.read_text()
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except OSError:
            assert time.monotonic() < until, "the pooler does not listen"
            time.sleep(0.02)
        else:
            return
