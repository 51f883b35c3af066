"""What a page of each list costs in a small fleet and in a large one: the same, if it goes along an
index.

Run by hand: ``python -m tests.benchmarks.bench_lists [--machines 100000] [--vends 100]
[--small 1000] [--postgres]``. One machine sells ``--vends`` times through the store itself; its
rows are then written for every other machine under that one's name, so that each list has as many
rows as a fleet of that age. Journal and ledger are left out: their lists go along one machine's own
index, and ``bench_history`` measures them. Pages of 50 are asked for over gRPC, one after the
other; each line has the milliseconds of the first page, those of the last of up to twenty, and how
many there were, in a small and in the large database.
"""

import argparse
import asyncio
import contextlib
import statistics
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, cast

import grpc.aio
from cryptography.hazmat.primitives.asymmetric import rsa
from google.protobuf import message_factory
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.json_format import ParseDict
from google.protobuf.message import Message
from sqlalchemy import JSON, BigInteger, Column, Integer, String, Table, text
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from actors.machine.incident import FaultReported
from gateway.fleet.v1 import (
    event_service_pb2,
    fleet_service_pb2,
    session_service_pb2,
    trade_service_pb2,
    work_item_service_pb2,
)
from gateway.links.links import HostLinks
from gateway.office.v1 import (
    audit_data_service_pb2,
    command_service_pb2,
    goods_service_pb2,
    incident_service_pb2,
    machine_import_service_pb2,
    machine_profile_service_pb2,
    place_service_pb2,
    planogram_service_pb2,
    price_service_pb2,
    product_service_pb2,
    recall_service_pb2,
    stock_service_pb2,
    visit_service_pb2,
)
from gateway.serving.assemble import assemble
from storage import tables
from storage.database import migrate
from storage.database.engine import Database, StorageConfig
from storage.database.urls import parse
from storage.office.templates import TemplateContent, TemplateView
from tests.alipay_client.wire import Pair
from tests.storage.owner import START_MS, Owner
from tests.support import postgres
from tests.support.site import SiteClock, configs

FIRST = "VM-000000"
LEFT_OUT = {"journal", "kept_transfers", "inbox", "seals", "starts"}
PAGE, PAGES, TIMES = 50, 20, 5
FILES: Sequence[Any] = (
    fleet_service_pb2,
    session_service_pb2,
    trade_service_pb2,
    work_item_service_pb2,
    event_service_pb2,
    audit_data_service_pb2,
    command_service_pb2,
    goods_service_pb2,
    incident_service_pb2,
    machine_import_service_pb2,
    machine_profile_service_pb2,
    place_service_pb2,
    planogram_service_pb2,
    price_service_pb2,
    product_service_pb2,
    recall_service_pb2,
    stock_service_pb2,
    visit_service_pb2,
)
IMPORT, APPLICATION = "i1", "a1"
ASKED: dict[str, tuple[dict[str, Any], ...]] = {
    "ListMachines": ({}, {"text": "VM-00009"}, {"online": True}, {"codeDiffers": True}),
    "ListSessions": ({}, {"machineId": "VM-000009"}),
    "ListVends": ({}, {"machineId": "VM-000009"}, {"statuses": ["VEND_STATUS_SUCCEEDED"]}),
    "ListTrades": ({}, {"machineId": "VM-000009"}),
    "ListRefunds": ({}, {"machineId": "VM-000009"}),
    "ListGoodsMoves": ({}, {"machineId": "VM-000009"}),
    "ListIncidents": ({}, {"open": True}, {"machineId": "VM-000009"}),
    "ListMachineProfiles": (
        {"selector": {"all": True}},
        {"selector": {"district": "d7"}},
        {"selector": {"labels": {"line": "red"}}},
        {"selector": {"model": "Snack 40"}},
    ),
    "ListLowStock": ({"selector": {"all": True}}, {"selector": {"district": "d7"}}),
    "ListConvergence": (
        {"selector": {"all": True}},
        {"selector": {"all": True}, "converged": False},
        {"selector": {"district": "d7"}, "converged": False},
    ),
    "ListCommands": ({}, {"machineId": "VM-000009"}, {"status": "COMMAND_STATUS_QUEUED"}),
    "ListEvents": ({"machineId": "VM-000000"},),
    "ListLots": ({"expiresUntil": "2026-12-31"},),
    "ListLockedColumns": ({"recallId": "r1"}, {"notObeyed": True}),
    "ListLotColumns": ({"product": "cola", "lot": "L1"},),
    "ListVisits": ({}, {"machineId": "VM-000009"}),
    "ListReadouts": ({}, {"machineId": "VM-000009"}),
    "ListPlacements": ({"machineId": "VM-000009"},),
    "ListPrices": ({"priceList": "p1"},),
    "ListApplicationLines": ({"applicationId": APPLICATION},),
    "ListMachineLines": ({"importId": IMPORT},),
}
"""What is asked beside the list as it is; the keys are the protos' JSON names."""


_TEMPLATE = TemplateView(
    template="t1",
    content=TemplateContent(name="t", price_list="", currency="HKD", columns=()),
    revision=1,
    created_at_ms=START_MS,
    updated_at_ms=START_MS,
    archived_at_ms=None,
)


async def _template(url: str, vends: int) -> None:
    """One machine that has sold, with a fault that is open and one that is over."""
    database = await Database.open(StorageConfig(url=url))
    owner = await Owner.of(database, FIRST)
    for number in range(1, vends + 1):
        owner.now_ms = START_MS + number * 360_000
        await owner.commit([owner.decide(FIRST, each) for each in owner.purchase(FIRST, number)])
        owner.refill(FIRST)
    for code, cleared in (("EJB", False), ("EJB", True), ("EJM", False)):
        await owner.do(FIRST, owner.frame(FIRST, FaultReported(code=code, cleared=cleared)))
    await database.close()


def _office(machines: int) -> Iterator[str]:
    """Rows that no sale makes, for the first machine."""
    now = START_MS
    yield f"INSERT INTO districts VALUES ('d0', 1, 'all', NULL, {now}, {now}, NULL)"
    yield "INSERT INTO district_paths VALUES ('d0', 'd0', 0)"
    for number in range(1, 21):
        yield f"INSERT INTO districts VALUES ('d{number}', 1, 'd', 'd0', {now}, {now}, NULL)"
        yield f"INSERT INTO district_paths VALUES ('d{number}', 'd{number}', 0)"
        yield f"INSERT INTO district_paths VALUES ('d0', 'd{number}', 1)"
    for number in range(machines // 50 + 1):
        yield (
            "INSERT INTO sites (site, revision, name, district, site_type, type_word, time_zone, "
            "created_at_ms, updated_at_ms, contact_name, contact_phone, contact_email, "
            f"address_lines) VALUES ('s{number}', 1, 's', 'd{number % 20 + 1}', 'STATION', '', "
            f"'Asia/Hong_Kong', {now}, {now}, '', '', '', '[]')"
        )
    yield (
        "INSERT INTO machine_profiles VALUES "
        f"('{FIRST}', 1, '{FIRST}-S', 'Snack 40', 'IN_SERVICE', FALSE, {now}, 'ann', {now}, '')"
    )
    yield f"INSERT INTO machine_labels VALUES ('{FIRST}', 'line', 'red')"
    yield f"INSERT INTO machine_sites VALUES ('{FIRST}', 20000, 's0', {now}, NULL)"
    yield f"INSERT INTO column_pars VALUES ('{FIRST}', 'A1', 'cola', 9, 1)"
    yield (
        "INSERT INTO recalls VALUES ('r1', 'RECALLED', 'cola', 'L1', '', 'ann', '', '', "
        f"{now}, NULL, '', NULL, {now}, '', 0, 'glass')"
    )
    yield f"INSERT INTO price_lists VALUES ('p1', 1, 'p', {now}, {now}, NULL)"
    for name, kind in ((IMPORT, "MACHINES"), (APPLICATION, "PLANOGRAMS")):
        yield (
            "INSERT INTO machine_imports (import_id, state, actor, claimed, proven, line_count, "
            "done_count, failed_count, lines_per_s, failures_max, holder, held_until_ms, "
            f"created_at_ms, kind, reason, about) VALUES ('{name}', 'DONE', 'ann', '', '', "
            f"{machines}, {machines}, 0, 5, 0, '', 0, {now}, '{kind}', '', '{_TEMPLATE.kept()}')"
        )
        yield (
            f"INSERT INTO machine_import_lines VALUES ('{name}', 1, '{FIRST}', 'DONE', '', '{{}}')"
        )
    for command, status in (("c1", "QUEUED"), ("c2", "APPLIED")):
        yield (
            "INSERT INTO machine_commands VALUES "
            f"('{FIRST}-{command}', '{FIRST}', 'REPORT', '', 0, '{status}', 'ann', {now}, {now}, "
            "NULL, NULL, FALSE, '', '', '')"
        )
    yield f"INSERT INTO planogram_waits VALUES ('{FIRST}', 2, {now}, FALSE)"
    yield f"INSERT INTO column_locks VALUES ('{FIRST}', 'A1', 'r1', 1, {now}, NULL)"
    yield (
        "INSERT INTO visits (visit, machine_id, van, revision, opened_by, opened_at_ms, "
        f"closed_by, closed_at_ms, reason) VALUES ('{FIRST}-w', '{FIRST}', 'VAN:1', 1, 'ann', "
        f"{now}, 'ann', {now}, '')"
    )


def _is_named(column: Column[Any]) -> bool:
    return isinstance(column.type, String | JSON)


def _copied(table: Table, *, on_postgres: bool) -> str:
    """Return the statement that writes the first machine's rows for all others."""
    names, values = [], []
    for column in table.columns:
        own = f'{table.name}."{column.name}"'
        if column.autoincrement is True:
            continue
        names.append(f'"{column.name}"')
        if table.name == "machines" and column.name == "notify_token":
            values.append("'token-' || others.name")
        elif table.name == "machine_sites" and column.name == "site":
            values.append("'s' || (others.number / 50)")
        elif column.name == "line":
            values.append("others.number + 1")
        elif column.name == "partition":
            values.append("others.number % 8")
        elif _is_named(column):
            named = f"replace(CAST({own} AS TEXT), '{FIRST}', others.name)"
            is_json = on_postgres and isinstance(column.type, JSON)
            values.append(f"CAST({named} AS {column.type.compile()})" if is_json else named)
        elif isinstance(column.type, BigInteger | Integer) and column.name.endswith("_at_ms"):
            values.append(f"{own} + others.number")
        else:
            values.append(own)
    return (
        f"INSERT INTO {table.name} ({', '.join(names)}) SELECT {', '.join(values)} FROM others "
        f"CROSS JOIN {table.name} WHERE {table.name}.machine_id = '{FIRST}'"
    )


async def _multiply(connection: AsyncConnection, machines: int) -> None:
    """Write every other machine's rows."""
    on_postgres = connection.dialect.name == "postgresql"
    if not on_postgres:
        for setting in ("synchronous = OFF", "cache_size = -1000000", "foreign_keys = OFF"):
            await connection.execute(text(f"PRAGMA {setting}"))
    else:
        await connection.execute(text("SET session_replication_role = replica"))
    for statement in _office(machines):
        await connection.exec_driver_sql(statement)
    text_of = "lpad(n::text, 6, '0')" if on_postgres else "printf('%06d', n)"
    await connection.execute(
        text(
            "CREATE TEMP TABLE others AS WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 "
            f"FROM c WHERE n + 1 < {machines}) SELECT n AS number, 'VM-' || {text_of} AS name "
            "FROM c"
        )
    )
    for table in tables.metadata.sorted_tables:
        if "machine_id" in table.c and table.name not in LEFT_OUT:
            began = time.perf_counter()
            made = await connection.execute(text(_copied(table, on_postgres=on_postgres)))
            took_s = time.perf_counter() - began
            print(f"  {table.name}: {made.rowcount:,} rows in {took_s:.0f} s", flush=True)
    await connection.execute(text("DROP TABLE others"))


async def fill(url: str, machines: int, vends: int) -> None:
    """Make the database."""
    migrate.upgrade(url, partition_count=8)
    await _template(url, vends)
    parsed = parse(url)
    if parsed.get_backend_name() == "sqlite":
        parsed = parsed.set(drivername="sqlite+aiosqlite")
    engine = create_async_engine(parsed)
    async with engine.begin() as connection:
        await _multiply(connection, machines)
    async with engine.connect() as connection:
        free = await connection.execution_options(isolation_level="AUTOCOMMIT")
        await free.execute(text("ANALYZE"))
    await engine.dispose()


def _lists() -> Iterator[MethodDescriptor]:
    for file in FILES:
        for _, service in sorted(file.DESCRIPTOR.services_by_name.items()):
            yield from (one for one in service.methods if one.name.startswith("List"))


class Asker:
    """Asks for pages over gRPC."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._channel = channel

    async def page(self, method: MethodDescriptor, asked: dict[str, Any], token: str) -> Message:
        """Return one page."""
        request = message_factory.GetMessageClass(method.input_type)()
        ParseDict(asked, request)
        ParseDict({"pageSize": PAGE, "pageToken": token}, request, ignore_unknown_fields=True)
        answer = message_factory.GetMessageClass(method.output_type)
        call: Any = self._channel.unary_unary(
            f"/{method.containing_service.full_name}/{method.name}",
            request_serializer=lambda one: one.SerializeToString(),
            response_deserializer=answer.FromString,
        )
        found: Message = await call(request)
        return found

    async def cost(self, method: MethodDescriptor, asked: dict[str, Any]) -> str:
        """Return milliseconds of the first page, and of the last of PAGES, and how many pages there
        were.
        """
        token, took_ms, pages = "", 0.0, 0
        first_ms = await self._median(method, asked, "")
        while pages < PAGES:
            pages += 1
            answer: Any = await self.page(method, asked, token)
            following = getattr(answer, "next_page_token", "")
            if not following or pages == PAGES:
                took_ms = await self._median(method, asked, token)
                break
            token = following
        return f"{first_ms:7.1f} {took_ms:7.1f} {pages:3d}"

    async def _median(self, method: MethodDescriptor, asked: dict[str, Any], token: str) -> float:
        took_s = []
        for _ in range(TIMES):
            began = time.perf_counter()
            await self.page(method, asked, token)
            took_s.append(time.perf_counter() - began)
        return statistics.median(took_s) * 1_000


async def measure(url: str, folder: Path) -> dict[str, str]:
    """Return what each list costs."""
    pair = Pair(
        merchant=rsa.generate_private_key(65_537, 2_048),
        alipay=rsa.generate_private_key(65_537, 2_048),
    )
    made = configs(folder / "unused.db", pair)
    database = await Database.open(StorageConfig(url=url))
    gateway = assemble(
        made,
        database,
        HostLinks([cast("Any", None)], gateway_id="gw-1", partition_count=8),
        gateway_id="gw-1",
        clock=SiteClock(),
    )
    listener = gateway.admin_listener("127.0.0.1:0", None)
    await listener.start()
    found = {}
    async with grpc.aio.insecure_channel(f"127.0.0.1:{listener.port}") as channel:
        asker = Asker(channel)
        for method in _lists():
            for asked in ASKED.get(method.name, ({},)):
                name = f"{method.name} {asked or ''}".strip()
                try:
                    found[name] = await asker.cost(method, asked)
                except grpc.aio.AioRpcError as error:
                    found[name] = f"{error.code().name}: {error.details()}"
    await listener.stop(grace_s=0)
    await database.close()
    return found


async def run(urls: Iterable[str], sizes: Iterable[int], vends: int, folder: Path) -> None:
    """Fill a small and a large database, and print a line for each list."""
    columns = []
    for url, machines in zip(urls, sizes, strict=True):
        print(f"{machines:,} machines, {machines * vends:,} vends", flush=True)
        await fill(url, machines, vends)
        columns.append(await measure(url, folder))
    for name, said in columns[0].items():
        print(f"{name:<70} {said} | {columns[1][name]}")


def main() -> None:
    """Run it in new SQLite files, or in databases of a PostgreSQL of its own."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--machines", type=int, default=100_000)
    parser.add_argument("--small", type=int, default=1_000, help="machines of the small fleet")
    parser.add_argument("--vends", type=int, default=100, help="of each machine")
    parser.add_argument("--postgres", action="store_true")
    given = parser.parse_args()
    sizes = (given.small, given.machines)
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as stack:
        if given.postgres:
            urls = [stack.enter_context(postgres.running()) for _ in sizes]
        else:
            urls = [f"sqlite:///{name}/{size}.db" for size in sizes]
        asyncio.run(run(urls, sizes, given.vends, Path(name)))


if __name__ == "__main__":
    main()
