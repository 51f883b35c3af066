"""What gRPC is told by its environment: what it writes to standard error beside our log."""

import os
import subprocess
import sys
from pathlib import Path

from gateway.rpc.options import QUIET
from tests.support.certificates import Authority

ROOT = Path(__file__).resolve().parents[3]
_SERVER = """
import asyncio, sys
from gateway import __main__
from gateway.rpc.options import QUIET
if "quiet" in sys.argv:
    sys.argv = ["vendgate", "--help"]
    try:
        __main__.main()
    except SystemExit:
        pass
import grpc, grpc.aio

async def main():
    keys = [tuple(open(name, "rb").read() for name in ("key.pem", "certificate.pem"))]
    server = grpc.aio.server()
    port = server.add_secure_port("127.0.0.1:0", grpc.ssl_server_credentials(keys))
    await server.start()
    for _ in range(3):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET / HTTP/1.1\\r\\n\\r\\n")
        while await reader.read(100):
            pass
        writer.close()
    await server.stop(0)

asyncio.run(main())
"""


def test_who_lets_a_handshake_fail_makes_no_line_of_grpcs(tmp_path: Path) -> None:
    """Such lines are nobody's: our log does not count them, and they name no address. Without what
    ``vendgate`` sets there is one for each, which is tried too.
    """
    server = Authority("the gateway's").server()
    (tmp_path / "key.pem").write_bytes(server.private_key)
    (tmp_path / "certificate.pem").write_bytes(server.certificate)
    environment = {name: value for name, value in os.environ.items() if name != QUIET}
    said = {
        how: subprocess.run(
            [sys.executable, "-c", _SERVER, *how],
            env=environment | {"PYTHONPATH": str(ROOT)},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=True,
        ).stderr.count("Handshake failed")
        for how in ((), ("quiet",))
    }
    assert 3 == said[()]
    assert 0 == said["quiet",]
