# ruff: noqa: N802, D102, ARG002 - the names, the contracts and the arguments are those of
# host_service.proto
"""HostService: who holds the machines, and how many hosts share them."""

import grpc
from google.protobuf.duration_pb2 import Duration

from gateway.fleet import enums
from gateway.fleet import errors as fleet_errors
from gateway.fleet.act import Act
from gateway.fleet.answering import Context, Parts, answered
from gateway.fleet.caller import named
from gateway.fleet.errors import CallRefused, not_possible
from gateway.fleet.requests import Fields
from gateway.fleet.v1 import host_pb2, host_service_pb2_grpc
from gateway.fleet.v1 import host_service_pb2 as wire
from gateway.fleet.views import timestamp
from gateway.links.cluster_hosts import ClusterHosts
from gateway.links.host_desk import HostRow, HostRows
from gateway.links.host_times import Quantiles
from gateway.links.hosts import HostsFailed
from gateway.rpc.statuses import Refusal
from storage.fleet.answers import RequestInProgress
from storage.fleet.layouts import Layouts, LayoutView
from storage.machines.holding import SqlLeases

_STATE = enums.descriptor_of(host_pb2.HostState)
_ANSWERS_S = 2.0
"""What is left of a caller's time for the layout once all hosts stand ready."""


class HostService(host_service_pb2_grpc.HostServiceServicer):
    """One method for each call."""

    def __init__(self, parts: Parts) -> None:
        self.parts = parts

    @answered
    async def ListHosts(
        self, request: wire.ListHostsRequest, context: Context
    ) -> wire.ListHostsResponse:
        desk = self.parts.hosts
        return _list(await desk.hosts(), partitions=desk.database.partition_count)

    @answered
    async def ScaleHosts(
        self, request: wire.ScaleHostsRequest, context: Context
    ) -> wire.ScaleHostsResponse:
        def answer(view: LayoutView) -> wire.ScaleHostsResponse:
            return wire.ScaleHostsResponse(
                wanted_hosts=view.hosts, layout_version=view.version, hosts_before=view.before
            )

        return await self.parts.change(
            request, context, self._scale, answer, wire.ScaleHostsResponse
        )

    async def _scale(self, request: wire.ScaleHostsRequest, act: Act) -> LayoutView:
        desk, layouts = self.parts.hosts, Layouts(self.parts.hosts.database)
        most, fields = desk.database.partition_count, Fields()
        if not 1 <= request.hosts <= most:
            fields.wrong("hosts", f"must be 1 to {most}: no more can share {most} partitions")
        fields.done()
        act = named(act)
        cluster = _scalable(desk.cluster)
        there = await layouts.now()
        if act.validate_only:
            return LayoutView(hosts=request.hosts, version=there.version, before=there.hosts)
        if not act.kept:
            await _ready(cluster, request.hosts, act)
        try:
            view = await layouts.scale(
                request.hosts, actor=act.by, now_ms=desk.clock.now_ms(), claim=act.claim
            )
        except RequestInProgress:
            raise CallRefused(fleet_errors.REQUEST_IN_PROGRESS) from None
        cluster.settle(SqlLeases(desk.database), view.hosts, view.version)
        return view


def _scalable(cluster: ClusterHosts | None) -> ClusterHosts:
    if cluster is None:
        raise not_possible(
            "HOSTS_OF_THEIR_GATEWAY",
            "these hosts live and die with their gateway, and no cluster is there to be scaled: "
            "'vendgate hosts layout' is for when all gateways have ended",
        )
    return cluster


async def _ready(cluster: ClusterHosts, hosts: int, act: Act) -> None:
    try:
        await cluster.ready(hosts, within_s=max(0.1, act.within_s - _ANSWERS_S))
    except HostsFailed as error:
        raise CallRefused(
            Refusal(
                code=grpc.StatusCode.UNAVAILABLE,
                reason="HOSTS_NOT_READY",
                message=(
                    f"the layout is as it was: {error}; hosts that were begun go on being started, "
                    "which ListHosts shows; where one waits, Ray has no node with room for it; "
                    "repeat the call, which goes on, or call with the number of before"
                ),
                retry_after_ms=2_000,
            )
        ) from None


def _list(rows: HostRows, *, partitions: int) -> wire.ListHostsResponse:
    answer = wire.ListHostsResponse(
        wanted_hosts=rows.host_count or 0,
        layout_version=rows.version,
        partitions=partitions,
        hosts=map(_host, rows.hosts),
    )
    if rows.ray_told_at_ms is not None:
        answer.ray_told_at.CopyFrom(timestamp(rows.ray_told_at_ms))
    return answer


def _host(row: HostRow) -> host_pb2.Host:
    host = host_pb2.Host(
        host=row.host,
        state=enums.number_of(_STATE, row.state),  # type: ignore[arg-type]  # of this very enum
        surplus=row.surplus,
    )
    if row.place is not None:
        host.place = row.place
    if row.process is not None:
        host.ray_node, host.ray_node_address = row.process.node, row.process.address
    if row.listed is not None:
        holder = row.listed.holder
        host.home, host.process, host.program = holder.home, holder.node, holder.program
        host.partitions = row.listed.partitions
        host.partitions_to_come = row.listed.to_come
        host.partitions_to_leave = row.listed.to_leave
        host.machines, host.epoch = row.listed.machines, row.listed.epoch
        host.since.CopyFrom(timestamp(holder.since_at_ms))
        host.lease.FromMilliseconds(holder.lease_ms)
    if row.times is not None:
        host.mailbox_delay.CopyFrom(_times(row.times.mailbox))
        host.commit.CopyFrom(_times(row.times.commit))
        host.measured_over.FromMilliseconds(row.times.over_ms)
    return host


def _times(told: Quantiles) -> host_pb2.HostTimes:
    return host_pb2.HostTimes(p50=_took(told.p50_s), p99=_took(told.p99_s), count=told.count)


def _took(seconds: float) -> Duration:
    took = Duration()
    took.FromMicroseconds(round(seconds * 1_000_000))
    return took
