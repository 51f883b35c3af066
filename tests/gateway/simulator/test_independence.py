"""The machines share the wire with the product, and no code."""

import ast
from collections.abc import Iterator
from pathlib import Path

ROOM = Path(__file__).resolve().parents[3] / "gateway" / "simulator"


def imported(path: Path) -> Iterator[str]:
    """Yield the names of all modules that a file imports."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            yield node.module or ""
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def test_a_machine_knows_the_wire_only() -> None:
    """Of this project the simulator imports the generated messages and itself."""
    ours = {
        f"{path.name}: {name}"
        for path in ROOM.glob("*.py")
        for name in imported(path)
        if name.split(".")[0] in {"gateway", "storage", "actors", "alipay_client"}
        and not f"{name}.".startswith(("gateway.v1.", "gateway.simulator."))
    }

    assert set() == ours


def test_the_model_is_pure() -> None:
    """The rules of a machine need no clock, no file and no socket."""
    pure = (
        "commands",
        "connection",
        "frames",
        "front",
        "happenings",
        "memory",
        "machine",
        "outbox",
        "screen",
        "sessions",
        "vending",
    )
    world = {"asyncio", "time", "os", "pathlib", "secrets", "grpc", "httpx", "structlog", "json"}

    assert set() == {
        f"{name}: {each}"
        for name in pure
        for each in imported(ROOM / f"{name}.py")
        if each.split(".")[0] in world
    }
