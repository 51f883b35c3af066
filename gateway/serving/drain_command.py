"""``vendgate drain``: empties the gateway that runs with these settings, and says how far it is.

Flows in: settings. Flows out: a POST and then GETs of ``/drain`` at the gateway's health listener,
and lines on standard output. The parts are imported by the command: "vendgate --help" should not
wait for gRPC.
"""

import http.client
import json
import time
from collections.abc import Callable
from typing import Annotated, Any

import typer

from gateway.process import settings as settings_module
from gateway.process.endings import ConfigFile, sentences
from gateway.process.sections import Address

_LOOK_S = 1.0
_ANSWER_S = 10.0
_ANY = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - what a listener may be bound to


class NotDrained(Exception):
    """The gateway was not drained; the sentence says why."""


def drain(
    *,
    config_file: ConfigFile = None,
    at: Annotated[
        str,
        typer.Option(
            metavar="HOST:PORT",
            help=r"Where its health listens; else as \[health] says.",  # rich eats it unescaped
        ),
    ] = "",
) -> None:
    """Send the machines of a gateway elsewhere, never in the middle of a vend, and wait until none
    is left. The gateway is not ready from the first moment, takes no machine any more, and stays
    until it is stopped. Status 0: it is empty, or has ended.
    """
    with sentences():
        from gateway.process import configs
        from gateway.serving.draining import proof

        loaded = settings_module.load(config_file)
        port = HealthPort(address_of(at) if at else loaded.health.address)
        secret = configs.configs(loaded).payer_salt
        gateway_id = port.ask("GET")["gateway_id"]
        watch(
            port.ask("POST", authorization=f"Bearer {proof(secret, gateway_id)}"),
            lambda: port.ask("GET"),
            say=lambda line: print(line, flush=True),
        )


def address_of(at: str) -> Address:
    """Return what ``--at`` names. Raises NotDrained."""
    try:
        return Address.parse(at)
    except ValueError as error:
        raise NotDrained(f"--at: {error}") from None


class HealthPort:
    """The health listener of one gateway."""

    def __init__(self, address: Address) -> None:
        if not address.port:
            raise NotDrained(
                "health.listen lets the system choose its port: say with --at where the gateway "
                "listens."
            )
        self._host, self._port = _ANY.get(address.host, address.host), address.port

    def ask(self, method: str, **headers: str) -> dict[str, Any]:
        """Return how far the drain is. Raises NotDrained, or ConnectionError if nobody is there."""
        connection = http.client.HTTPConnection(self._host, self._port, timeout=_ANSWER_S)
        where = f"{self._host}:{self._port}"
        try:
            connection.request(method, "/drain", headers=headers)
            response = connection.getresponse()
            content = response.read(65_536)
        except TimeoutError:
            raise NotDrained(f"What listens at {where} does not answer: see its log.") from None
        except OSError as error:
            raise ConnectionError(
                f"No gateway answers at {where}, where health.listen or --at says "
                f"({error.strerror or error}): nothing was drained."
            ) from None
        except http.client.HTTPException:
            # Not with its words: they hold what the other end wrote, whatever it is.
            raise NotDrained(
                f"What listens at {where} does not speak HTTP: nothing was drained. Name where the "
                "gateway's health listens, which [health] listen says."
            ) from None
        finally:
            connection.close()
        try:
            told = json.loads(content)
            if response.status == http.client.FORBIDDEN:
                raise NotDrained(str(told["error"]))
            return {"gateway_id": str(told["gateway_id"]), **told}
        except (ValueError, KeyError, TypeError):
            raise NotDrained(
                f"What listens at {where} answers {response.status} and knows no drain: it is "
                "another program, or a gateway of an older version, which SIGTERM drains and ends."
            ) from None


def watch(
    told: dict[str, Any],
    ask: Callable[[], dict[str, Any]],
    *,
    say: Callable[[str], None],
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Say how many are left, until none is. ``told``: the first answer. Raises NotDrained."""
    gateway_id, said = told["gateway_id"], ""
    while not told["done"]:
        if (line := left(told)) != said:
            say(f"{gateway_id}: {line}")
            said = line
        sleep(_LOOK_S)
        try:
            told = ask()
        except ConnectionError:
            say(f"{gateway_id}: it has ended")
            return
        if told["gateway_id"] != gateway_id:
            say(f"{gateway_id}: it has ended, and {told['gateway_id']} was started in its place")
            return
    if told["closed_selling"]:
        say(
            f"{gateway_id}: {_machines(told['closed_selling'])} did not end a vend in time and "
            "lost the stream: the vend is settled when the machine is back"
        )
    say(f"{gateway_id}: drained; it takes no machine until it is started again")


def left(told: dict[str, Any]) -> str:
    """Return who is left, as a phrase."""
    selling = told["selling"]
    during = f", {selling} in the middle of a vend" if selling else ""
    return f"{_machines(told['streams'])} left{during}"


def _machines(count: int) -> str:
    return "1 machine" if count == 1 else f"{count} machines"
