"""The command ``vendgate assets add``: brings files to a gateway, which lets machines show them.

Flows in: files, and the address of the administrators' door. Flows out: a line for each with its
hash, which playlists name. gRPC is imported by the command: "vendgate --help" should not wait.
"""

from pathlib import Path
from typing import Annotated

import typer

from gateway.process.endings import sentences
from gateway.process.texts import plain

ANSWER_TIMEOUT_S = 60

assets = typer.Typer(no_args_is_help=True, help="Files that machines show between customers.")
Pem = Annotated[Path | None, typer.Option(exists=True, dir_okay=False, help="A PEM file.")]


class NotAdded(Exception):
    """A file was not taken. The message says why."""


@assets.callback()
def _assets() -> None:
    """Files that machines show between customers."""


@assets.command()
def add(
    file: Annotated[
        list[Path],
        typer.Argument(exists=True, dir_okay=False, help="PNG, JPEG or WebP, up to 3 MiB."),
    ],
    *,
    by: Annotated[str, typer.Option("--by", metavar="NAME", help="Who does it.")],
    admin: Annotated[
        str, typer.Option(help="The gateway's address for administrators.")
    ] = "127.0.0.1:7444",
    ca: Pem = None,
    cert: Pem = None,
    key: Pem = None,
) -> None:
    """Bring files to the gateway, and print the hash of each. Again: the same answer."""
    with sentences():
        for path in file:
            sha256 = added(path, admin, by=by, pem=(ca, cert, key))
            print(f"{sha256}  {plain(str(path))}", flush=True)


def added(path: Path, admin: str, *, by: str, pem: tuple[Path | None, ...]) -> str:
    """Bring a file to a gateway and return its hash. Raises NotAdded, OSError."""
    import grpc

    from gateway.office.v1 import screen_service_pb2, screen_service_pb2_grpc

    direct = (("grpc.enable_http_proxy", 0),)
    ca, cert, key = (None if one is None else one.read_bytes() for one in pem)
    channel = (
        grpc.insecure_channel(admin, options=direct)
        if ca is None
        else grpc.secure_channel(admin, grpc.ssl_channel_credentials(ca, key, cert))
    )
    request = screen_service_pb2.AddAssetRequest(content=path.read_bytes(), name=path.name[:100])
    with channel:
        try:
            stub = screen_service_pb2_grpc.ScreenServiceStub(channel)
            answer = stub.AddAsset(request, metadata=(("x-actor", by),), timeout=ANSWER_TIMEOUT_S)
        except grpc.RpcError as error:
            said = f"{error.code().name}: {error.details()}"
            raise NotAdded(f"{path}: {admin} answers {said}") from None
    return str(answer.asset.sha256)
