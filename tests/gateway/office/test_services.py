"""The services of the fleet and of the office are served together, and each of their changes is
rehearsed without a trace, done once under its request id, and refused under it with other content.
"""

import asyncio
import base64
import datetime as dt
import hashlib
import sqlite3
from contextlib import closing
from typing import Any

import grpc
from google.protobuf import json_format, message_factory
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message import Message

from gateway.fleet import services as fleet_services
from gateway.office import services
from tests.gateway.office.evadts.files import counted
from tests.gateway.office.vouchers import vouchers
from tests.gateway.screens.showable import picture
from tests.support.fleet_calls import refusal
from tests.support.site import Site

CHANGES: dict[str, MethodDescriptor] = {
    method.name: method
    for file in services.FILES
    for service in file.services_by_name.values()
    for method in service.methods
    if "request_id" in method.input_type.fields_by_name
}
LISTS: dict[str, MethodDescriptor] = {
    name: method
    for file in services.FILES
    for service in file.services_by_name.values()
    for name, method in service.methods_by_name.items()
    if name.startswith("List")
}
UNKNOWN: dict[str, Any] = {
    "application_id": "a1",
    "code": "void",
    "district": "atlantis",
    "import_id": "a1",
    "lot": "L9",
    "machine_id": "VM-9",
    "parent": "atlantis",
    "place": "WAREHOUSE:9",
    "price_list": "void",
    "product": "mead",
    "recall_id": "0" * 16,
    "session_id": "s9",
    "selector": {"machine_ids": ["VM-9"]},
    "tag": "VOID",
    "trade_id": "t9",
    "van": "VAN:9",
    "visit": "v9",
}
"""What a list may be filtered by, and a name of it that nobody knows."""
SEARCHED = {"barcode", "category", "expires_until", "kind", "order_by", "page_token", "text"}
"""What is looked for: that it is not found is the answer."""
SEARCHED_IN = {
    (name, "place") for name in ("ListRefunds", "ListSessions", "ListTrades", "ListVends")
}
"""Here a place is a part of an address, or of a store's name."""
BESIDE = {
    ("ListGoodsMoves", "lot"): {"product": "cola"},
    ("ListGoodsMoves", "product"): {"lot": "L9"},
    ("ListLotColumns", "lot"): {"product": "cola"},
    ("ListLotColumns", "product"): {"lot": "L1"},
    ("ListPrices", "product"): {"price_list": "city"},
}
"""What must stand beside a filter."""
NEED_MORE = {
    "CloseIncident",
    "CloseWorkItem",
    "ConfirmOffer",
    "CreateExperiment",
    "DeclineOffer",
    "ErasePayer",
    "RefundVend",
    "QueryRefund",
    "RetryRefund",
    "ScaleHosts",
    "SettleVend",
    "StartExperiment",
    "StopExperiment",
    "WriteOffRefund",
}
"""These need money that is open, a fault, a past, a second person or a cluster: they are done twice
elsewhere in tests/gateway.
"""
ETAGS_INSIDE = {
    name: [
        field.name
        for field in method.input_type.fields
        if field.message_type and "etag" in field.message_type.fields_by_name
    ]
    for name, method in CHANGES.items()
    if "etag" in method.input_type.fields_by_name
}
"""Where an update may also have its etag: inside what it changes, as somebody read it."""
SAID_ONCE = {"CreateEnrolmentToken": ("token", "payload")}
"""What is kept nowhere, so that whoever asks again does not hear it."""
BY_THEMSELVES = {"holders", "installation", "journal", "machine_states", "partitions"}
"""What hosts and machines write also while nobody asks for anything, and the seal of the audit log,
in which refusals stand too.
"""


def _csv(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _eva(sales: int) -> str:
    return base64.b64encode(counted(sales)).decode()


PICTURE = picture("PNG")
SHOWN = hashlib.sha256(PICTURE).hexdigest()
COLA = {"product": "cola", "lot": "L1"}
LATER = (dt.datetime.now(dt.UTC) + dt.timedelta(days=30)).isoformat()
DAY: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("CreateProduct", {"product": {"code": "cola"}}, {"product": {"code": "tea"}}),
    ("CreateProduct", {"product": {"code": "tea"}}, {"product": {"code": "cocoa"}}),
    (
        "UpdateProduct",
        {"product": {"code": "tea", "category": "hot"}, "updateMask": "category"},
        {"product": {"code": "tea", "category": "cold"}},
    ),
    ("ArchiveProduct", {"product": "tea", "reason": "old"}, {"reason": "new"}),
    ("RestoreProduct", {"product": "tea"}, {"product": "cola"}),
    ("ImportProducts", {"csv": _csv("product\ncocoa\n")}, {"csv": _csv("product\ncake\n")}),
    ("AdoptProducts", {}, {}),
    ("ImportRedemptions", {"csv": _csv(vouchers("v1"))}, {"csv": _csv(vouchers("v2"))}),
    ("CreatePriceList", {"priceList": "city", "name": "City"}, {"name": "Town"}),
    (
        "SetPrices",
        {
            "priceList": "city",
            "prices": [{"product": "cola", "currency": "HKD", "priceMinor": "500"}],
        },
        {"prices": [{"product": "cola", "currency": "HKD", "priceMinor": "600"}]},
    ),
    (
        "ImportPrices",
        {"priceList": "city", "csv": _csv("product,currency,price_minor\ncola,HKD,550\n")},
        {"csv": _csv("product,currency,price_minor\ncola,HKD,560\n")},
    ),
    ("ArchivePriceList", {"priceList": "city", "reason": "old"}, {"reason": "new"}),
    ("RestorePriceList", {"priceList": "city"}, {"priceList": "town"}),
    ("CreateDistrict", {"district": {"code": "hk", "name": "HK"}}, {"district": {"code": "kln"}}),
    ("CreateDistrict", {"district": {"code": "k", "name": "K"}}, {"district": {"code": "kln"}}),
    (
        "UpdateDistrict",
        {"district": {"code": "hk", "name": "Hong Kong"}, "updateMask": "name"},
        {"district": {"code": "hk", "name": "Island"}},
    ),
    ("ArchiveDistrict", {"district": "k"}, {"district": "hk"}),
    ("RestoreDistrict", {"district": "k"}, {"district": "hk"}),
    (
        "CreateSite",
        {
            "site": {
                "code": "pier",
                "name": "Pier 7",
                "district": "hk",
                "type": "SITE_TYPE_STATION",
                "timeZone": "Asia/Hong_Kong",
            }
        },
        {"site": {"code": "dock"}},
    ),
    (
        "UpdateSite",
        {"site": {"code": "pier", "name": "Pier"}, "updateMask": "name"},
        {"site": {"code": "pier", "name": "Quay"}},
    ),
    ("ArchiveSite", {"site": "pier"}, {"site": "dock"}),
    ("RestoreSite", {"site": "pier"}, {"site": "dock"}),
    (
        "RegisterMachine",
        {
            "machineId": "VM-1",
            "storeName": "Lobby",
            "currency": "HKD",
            "countryCode": "HK",
            "address": "1 Queen's Road",
            "columns": [
                {"column": "A1", "product": "cola", "priceMinor": "500", "capacity": 10, "stock": 2}
            ],
        },
        {"storeName": "Hall"},
    ),
    (
        "UpdateMachine",
        {"machine": {"machineId": "VM-1", "mode": "MODE_BOTH"}, "updateMask": "mode"},
        {"machine": {"machineId": "VM-1", "mode": "MODE_SELECTION_FIRST"}},
    ),
    (
        "UpdateMachineProfile",
        {"profile": {"machineId": "VM-1", "model": "Snack"}, "updateMask": "model"},
        {"profile": {"machineId": "VM-1", "model": "Drink"}},
    ),
    ("PlaceMachine", {"machineId": "VM-1", "site": "pier", "fromDay": "2199-01-01"}, {"site": "x"}),
    ("RemovePlacement", {"machineId": "VM-1", "fromDay": "2199-01-01"}, {"fromDay": "2199-01-02"}),
    (
        "SetMaintenance",
        {"machineId": "VM-1", "maintenance": "MAINTENANCE_STORED", "reason": "motor"},
        {"reason": "door"},
    ),
    (
        "SetMaintenance",
        {"machineId": "VM-1", "maintenance": "MAINTENANCE_IN_SERVICE", "reason": "done"},
        {"reason": "new"},
    ),
    (
        "ReceiveGoods",
        {"to": "WAREHOUSE:n", "goods": [{**COLA, "quantity": 20, "expiresOn": "2199-01-31"}]},
        {"to": "WAREHOUSE:s"},
    ),
    (
        "TransferGoods",
        {"from": "WAREHOUSE:n", "to": "VAN:7", "goods": [{**COLA, "quantity": 18}]},
        {"to": "VAN:8"},
    ),
    (
        "WasteGoods",
        {"from": "WAREHOUSE:n", "goods": [{**COLA, "quantity": 1}], "reason": "wet"},
        {"reason": "dry"},
    ),
    ("OpenVisit", {"visit": "v1", "machineId": "VM-1", "van": "VAN:7"}, {"van": "VAN:8"}),
    (
        "LoadColumn",
        {"machineId": "VM-1", "column": "A1", **COLA, "quantity": 5, "from": "VAN:7"},
        {"quantity": 4},
    ),
    (
        "UnloadColumn",
        {"machineId": "VM-1", "column": "A1", "product": "cola", "quantity": 1, "to": "VAN:7"},
        {"quantity": 2},
    ),
    (
        "CountColumn",
        {"machineId": "VM-1", "column": "A1", "product": "cola", "counted": 5, "reason": "count"},
        {"counted": 4},
    ),
    ("CloseVisit", {"visit": "v1", "reason": "done"}, {"reason": "late"}),
    ("RecallLot", {**COLA, "reason": "glass"}, {"reason": "dust"}),
    ("ReleaseRecall", {"recallId": "LAST_RECALL", "reason": "tested"}, {"reason": "seen"}),
    ("RecallProduct", {"product": "cola", "reason": "glass"}, {"reason": "dust"}),
    ("LockExpired", {}, {}),
    ("ReverseMove", {"moveId": "LAST_WASTE", "reason": "dry after all"}, {"reason": "wet"}),
    (
        "SetPars",
        {"machineId": "VM-1", "pars": [{"column": "A1", "par": 8}]},
        {"pars": [{"column": "A1", "par": 7}]},
    ),
    (
        "OrderCommand",
        {"machineId": "VM-1", "kind": "COMMAND_KIND_REBOOT", "validForS": 604_800},
        {"kind": "COMMAND_KIND_REPORT"},
    ),
    ("CancelCommand", {"commandId": "LAST_COMMAND", "reason": "wrong"}, {"reason": "right"}),
    ("ResetMachineAudit", {"machineId": "VM-1", "reason": "new route"}, {"reason": "old"}),
    ("ImportReadout", {"evaDts": _eva(3)}, {"evaDts": _eva(4)}),
    (
        "CreatePlanogramTemplate",
        {
            "template": {
                "code": "summer",
                "currency": "HKD",
                "columns": [
                    {"column": "A1", "product": "cola", "priceMinor": "600", "capacity": 10}
                ],
            }
        },
        {"template": {"code": "winter"}},
    ),
    (
        "UpdatePlanogramTemplate",
        {
            "template": {
                "code": "summer",
                "currency": "HKD",
                "columns": [
                    {"column": "A1", "product": "cola", "priceMinor": "700", "capacity": 10}
                ],
            }
        },
        {"template": {"code": "winter"}},
    ),
    ("ArchivePlanogramTemplate", {"template": "summer", "reason": "old"}, {"reason": "new"}),
    ("RestorePlanogramTemplate", {"template": "summer"}, {"template": "winter"}),
    (
        "AddAsset",
        {"content": base64.b64encode(PICTURE).decode(), "name": "Cola"},
        {"name": "Tea"},
    ),
    (
        "CreatePlaylist",
        {"playlist": {"code": "all", "items": [{"sha256": SHOWN, "durationMs": 8000}]}},
        {"playlist": {"code": "some"}},
    ),
    (
        "UpdatePlaylist",
        {"playlist": {"code": "all", "items": [{"sha256": SHOWN, "durationMs": 9000}]}},
        {"playlist": {"code": "all"}},
    ),
    (
        "CreateScreenPlan",
        {
            "plan": {
                "code": "p",
                "playlist": "all",
                "selector": {"all": True},
                "notAfter": "2199-01-01T00:00:00Z",
            }
        },
        {"plan": {"code": "q"}},
    ),
    ("EndScreenPlan", {"plan": "p"}, {"plan": "q"}),
    (
        "CreateOffer",
        {
            "code": "tea",
            "content": {
                "name": "Tea time",
                "selector": {"all": True},
                "discount": {"currency": "HKD", "minor": "50"},
                "endsAt": LATER,
                "budget": {"currency": "HKD", "minor": "1000"},
            },
        },
        {"code": "cake"},
    ),
    ("UpdateOffer", {"code": "tea", "usesPerPayer": 2}, {"usesPerPayer": 3}),
    ("EndOffer", {"code": "tea", "reason": "over"}, {"reason": "other"}),
    ("RecallAsset", {"sha256": SHOWN, "reason": "wrong price"}, {"reason": "other"}),
    (
        "ApplyPlanogram",
        {"template": "summer", "selector": {"machineIds": ["VM-1"]}},
        {"template": "winter"},
    ),
    (
        "StopPlanogramApplication",
        {"applicationId": "LAST_APPLICATION", "reason": "wrong"},
        {"reason": "right"},
    ),
    ("SetStock", {"machineId": "VM-1", "column": "A1", "stock": 3}, {"stock": 2}),
    ("SetPlanogram", {"machineId": "VM-1", "removeAll": True}, {"machineId": "VM-2"}),
    ("RotateCode", {"machineId": "VM-1", "newCode": True, "reason": "tampered"}, {"reason": "x"}),
    ("DisableMachine", {"machineId": "VM-1", "reason": "moved"}, {"reason": "sold"}),
    ("EnableMachine", {"machineId": "VM-1"}, {"machineId": "VM-2"}),
    ("ReloadMachine", {"machineId": "VM-1", "reason": "looked"}, {"reason": "seen"}),
    (
        "ImportMachines",
        {"csv": _csv("machine_id,store_name,currency\nVM-9,Lobby,HKD\n")},
        {"csv": _csv("machine_id,store_name,currency\nVM-8,Lobby,HKD\n")},
    ),
    ("StopMachineImport", {"importId": "LAST_IMPORT", "reason": "wrong"}, {"reason": "right"}),
    ("CreateEnrolmentToken", {"machineId": "VM-1"}, {"validS": 600}),
    ("RetireMachine", {"machineId": "VM-1", "reason": "scrap"}, {"reason": "sold"}),
    (
        "DenyAccess",
        {"kind": "DENIAL_KIND_MACHINE", "name": "VM-1", "reason": "stolen"},
        {"name": "VM-2"},
    ),
    (
        "AllowAccess",
        {"kind": "DENIAL_KIND_MACHINE", "name": "VM-1", "reason": "found"},
        {"name": "VM-2"},
    ),
    ("CreateTag", {"tag": "NEW", "reason": "to greet them"}, {"reason": "to thank them"}),
    (
        "UpdateTag",
        {
            "tag": "NEW",
            "version": 1,
            "rule": {"rule": '{"feature":"purchases_7","at_least":1}'},
            "reason": "a week",
        },
        {"reason": "a day"},
    ),
    ("RetireTag", {"tag": "NEW", "reason": "nobody uses it"}, {"reason": "old"}),
]
"""A call, its content, and the content that it must not have under the same id; empty: it has none.
"""


def test_the_fleets_services_are_among_them() -> None:
    """Whoever serves the office serves the fleet: nobody has to list both."""
    assert set(fleet_services.FILES) < set(services.FILES)
    assert {"RegisterMachine", "CreateProduct"} <= set(services.METHODS)


def test_no_call_has_the_name_of_another() -> None:
    """The counters and the stored answers tell calls apart by their name alone."""
    assert len(services.METHODS) == len(set(services.METHODS))


async def _ask(site: Site, name: str, content: dict[str, Any]) -> Message:
    """Make a call as grpcurl does, in the words of its JSON form."""
    method = CHANGES.get(name) or LISTS[name]
    asked, answered = map(message_factory.GetMessageClass, (method.input_type, method.output_type))
    call = site.channel.unary_unary(
        f"/{method.containing_service.full_name}/{name}",
        request_serializer=asked.SerializeToString,
        response_deserializer=answered.FromString,
    )
    request = json_format.ParseDict(content, asked())
    return await call(request, metadata=(("x-actor", "ann"),))


async def test_a_list_by_a_name_that_nobody_knows_says_so(site: Site) -> None:
    """An empty one would look as if all was well; what a list of something known finds is empty."""
    for name, content, _ in DAY[:1] + [one for one in DAY if one[0] == "CreatePriceList"]:
        await _ask(site, name, content)
    wanted = {
        (name, field.name)
        for name, method in LISTS.items()
        for field in method.input_type.fields
        if field.name not in SEARCHED and (name, field.name) not in SEARCHED_IN
        if field.message_type or field.type == field.TYPE_STRING
        if field.message_type is None or field.message_type.name == "Selector"
    }
    assert {"machine_id", "place", "van"} < {field for _, field in wanted}
    told: dict[tuple[str, str], object] = {}
    for name, field in sorted(wanted):
        filters = {field: UNKNOWN[field], **BESIDE.get((name, field), {})}
        try:
            told[name, field] = str(await _ask(site, name, filters))
        except grpc.aio.AioRpcError as error:
            told[name, field] = error.code()
    assert dict.fromkeys(told, grpc.StatusCode.NOT_FOUND) == told


def _all_that_is_saved(site: Site) -> list[tuple[str, tuple[Any, ...]]]:
    """Return the rows that people and their acts have left, each with its table; who was refused
    stands in the audit log.
    """
    with closing(sqlite3.connect(site.path, isolation_level=None)) as other:
        other.execute("BEGIN")  # one moment of all tables
        names = "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name"
        return [
            (table, row)
            for (table,) in other.execute(names).fetchall()
            if table not in BY_THEMSELVES
            for row in other.execute(f'SELECT * FROM "{table}"')
            if not (table == "audit" and "REFUSED" in row)
        ]


def _last(site: Site, what: Any) -> Any:
    """Put in what only the database knows: the number of a move, the id of an import."""
    sql = {
        "LAST_WASTE": "SELECT max(id) FROM goods_moves WHERE kind = 'WASTED'",
        "LAST_IMPORT": "SELECT max(import_id) FROM machine_imports WHERE kind = 'MACHINES'",
        "LAST_APPLICATION": "SELECT max(import_id) FROM machine_imports WHERE kind <> 'MACHINES'",
        "LAST_COMMAND": "SELECT command_id FROM machine_commands",
        "LAST_RECALL": "SELECT recall_id FROM recalls ORDER BY created_at_ms DESC LIMIT 1",
    }
    if not isinstance(what, str) or what not in sql:
        return what
    with closing(sqlite3.connect(site.path)) as other:
        return str(other.execute(sql[what]).fetchone()[0])


async def test_every_change_is_rehearsed_done_once_and_answered_again(site: Site) -> None:
    """Checked only, nothing is saved. Done twice side by side and a third time, it is done once and
    has one answer. Its id with other content is refused, and so is an etag that is old, wherever it
    stands; that changes nothing.
    """
    assert 7 == sum(map(bool, ETAGS_INSIDE.values()))
    assert set(CHANGES) == {name for name, _, _ in DAY} | NEED_MORE
    for number, (name, written, other) in enumerate(DAY):
        content = {field: _last(site, value) for field, value in written.items()}
        before = _all_that_is_saved(site)
        if "validate_only" in CHANGES[name].input_type.fields_by_name:
            await _ask(site, name, {**content, "validateOnly": True})
            assert before == _all_that_is_saved(site), f"{name}, checked only, left something"
        once = {**content, "requestId": f"day-{number}"}
        both = await asyncio.gather(
            *(_ask(site, name, once) for _ in range(2)), return_exceptions=True
        )
        answers = [one for one in both if isinstance(one, Message)]
        assert answers, f"{name}: {both}"
        done = _all_that_is_saved(site)
        answers.append(await _ask(site, name, once))
        for field in SAID_ONCE.get(name, ()):
            assert 1 == sum(bool(getattr(one, field)) for one in answers), f"{name} {field}"
            for one in answers:
                one.ClearField(field)
        assert [answers[0]] * len(answers) == answers, name
        if other:
            code, reason, _ = await refusal(_ask(site, name, {**once, **other}))
            assert (grpc.StatusCode.INVALID_ARGUMENT, "REQUEST_ID_REUSED") == (code, reason), name
        for held in ETAGS_INSIDE.get(name, ()):
            old = {**content, held: {**content[held], "etag": "old"}}
            for etag, said in ("", "ETAG_STALE"), ("older", "INVALID_REQUEST"):
                _, reason, _ = await refusal(_ask(site, name, {**old, "etag": etag}))
                assert said == reason, f"{name} {held} {etag}"
        assert done == _all_that_is_saved(site), f"{name} did more than once"
