"""What lists are filtered by: list requests in, what storage is asked for out, or all problems at
once. A filter has the same name in every request that has it, so it is read in one place.
"""

from typing import Any

from google.protobuf.message import Message

from gateway.fleet import enums
from gateway.fleet.requests import Fields
from gateway.fleet.v1 import fleet_service_pb2, machine_pb2
from storage.fleet.lists import MachinesWanted, Wanted

_AMOUNTS = ("paid_minor", "price_minor", "amount_minor")


def records(
    fields: Fields, request: Message, *, at: str = "", statuses: tuple[str, ...] = ()
) -> Wanted:
    """Return which records a request asks for, and note in ``fields`` what is wrong with it.
    ``at``: the time that it can be ordered by, empty if it has one order.
    """
    there: Any = request
    known = request.DESCRIPTOR.fields_by_name
    fields.machine_id(there.machine_id, needed=False)
    ids = {name: getattr(request, name) for name in ("session_id", "trade_id") if name in known}
    for name, value in ids.items():
        fields.some_id(name, value, needed=False)
    place = there.place if "place" in known else ""
    fields.part("place", place)
    amount_minor = None
    for name in _AMOUNTS:
        if name in known and request.HasField(name):
            amount_minor = getattr(request, name)
            fields.amount(name, amount_minor)
    from_ms, until_ms = (
        fields.time_ms(name, getattr(request, name)) if request.HasField(name) else None
        for name in ("from", "until")
    )
    if from_ms is not None and until_ms is not None and until_ms <= from_ms:
        fields.wrong("until", "must be later than from")
    return Wanted(
        machine_id=there.machine_id,
        statuses=statuses,
        from_ms=from_ms,
        until_ms=until_ms,
        place=place,
        amount_minor=amount_minor,
        ascending=_ascending(fields, there.order_by, at) if at else False,
        **ids,
    )


def machines(fields: Fields, request: fleet_service_pb2.ListMachinesRequest) -> MachinesWanted:
    """Return which machines a request asks for, and note in ``fields`` what is wrong with it."""
    fields.part("text", request.text)
    if request.view not in machine_pb2.MachineView.values():
        fields.wrong(
            "view", "must be " + enums.names_said(enums.descriptor_of(machine_pb2.MachineView))
        )
    return MachinesWanted(
        phases=fields.words("phases", machine_pb2.Phase, request.phases),
        text=request.text,
        online=request.online if request.HasField("online") else None,
        halted=request.halted if request.HasField("halted") else None,
        code_statuses=fields.words("code_statuses", machine_pb2.CodeStatus, request.code_statuses),
        code_differs=request.code_differs if request.HasField("code_differs") else None,
        retired=request.show_retired,
    )


def _ascending(fields: Fields, order_by: str, at: str) -> bool:
    if order_by not in {"", f"{at} desc", at}:
        fields.wrong("order_by", f'must be empty, "{at} desc" or "{at}"')
    return order_by == at
