"""The services of the fleet: their files, for reflection and health, and what serves them.
``gateway.office.services`` adds its own to them.
"""

from typing import cast

import grpc.aio
from google.protobuf.descriptor import FileDescriptor

from gateway.fleet.answering import Parts
from gateway.fleet.events import EventService
from gateway.fleet.hosts import HostService
from gateway.fleet.machines import FleetService
from gateway.fleet.sessions import SessionService
from gateway.fleet.trades import TradeService
from gateway.fleet.v1 import (
    event_service_pb2,
    event_service_pb2_grpc,
    fleet_service_pb2,
    fleet_service_pb2_grpc,
    host_service_pb2,
    host_service_pb2_grpc,
    session_service_pb2,
    session_service_pb2_grpc,
    trade_service_pb2,
    trade_service_pb2_grpc,
    work_item_service_pb2,
    work_item_service_pb2_grpc,
)
from gateway.fleet.work_items import WorkItemService

FILES = tuple(
    cast("FileDescriptor", file.DESCRIPTOR)
    for file in (
        fleet_service_pb2,
        session_service_pb2,
        trade_service_pb2,
        work_item_service_pb2,
        event_service_pb2,
        host_service_pb2,
    )
)
"""One file for each service."""
STATUSES = (
    "OK",
    "INVALID_ARGUMENT",
    "UNAUTHENTICATED",
    "PERMISSION_DENIED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "FAILED_PRECONDITION",
    "ABORTED",
    "RESOURCE_EXHAUSTED",
    "UNAVAILABLE",
    "INTERNAL",
)
"""How one may end: with OK, or as ``gateway.fleet.errors`` says."""


def add_services(parts: Parts, server: grpc.aio.Server) -> None:
    """Let the server answer all calls about the fleet."""
    fleet_service_pb2_grpc.add_FleetServiceServicer_to_server(FleetService(parts), server)
    session_service_pb2_grpc.add_SessionServiceServicer_to_server(SessionService(parts), server)
    trade_service_pb2_grpc.add_TradeServiceServicer_to_server(TradeService(parts), server)
    work_item_service_pb2_grpc.add_WorkItemServiceServicer_to_server(WorkItemService(parts), server)
    event_service_pb2_grpc.add_EventServiceServicer_to_server(EventService(parts), server)
    host_service_pb2_grpc.add_HostServiceServicer_to_server(HostService(parts), server)
