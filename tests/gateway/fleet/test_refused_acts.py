"""What is refused stands in the audit log: by whom, what and why, within bounds."""

import grpc

from gateway.fleet.act import Act
from gateway.fleet.errors import FAILED, SQL_AWAY, invalid, not_found
from gateway.fleet.refused_acts import RefusedActs
from gateway.fleet.v1 import event_pb2, event_service_pb2, fleet_service_pb2
from gateway.rpc.statuses import FieldProblem
from tests.support.fleet_calls import refusal
from tests.support.site import Site
from tests.support.story import START_MS

ANN = Act(actor="ann", within_s=1.0, claimed="ann")
DISABLE = fleet_service_pb2.DisableMachineRequest(machine_id="VM-9")
NOT_THERE = not_found("machine", "VM-9").refusal


async def _records(site: Site) -> list[event_pb2.AuditRecord]:
    """Return what administrators did and were refused, newest first, without the hosts' claims."""
    request = event_service_pb2.ListAuditRecordsRequest(page_size=500)
    records = (await site.events.ListAuditRecords(request)).records
    return [record for record in records if record.action != "claim"]


async def test_a_refused_call_is_in_the_audit_log(site: Site) -> None:
    """With what was claimed, that nothing is proven, and the reason; a rehearsal is not."""
    who = (("x-actor", "ann"),)
    code, _, _ = await refusal(site.fleet.DisableMachine(DISABLE, metadata=who))
    assert grpc.StatusCode.NOT_FOUND is code
    rehearsal = fleet_service_pb2.DisableMachineRequest(machine_id="VM-8", validate_only=True)
    await refusal(site.fleet.DisableMachine(rehearsal, metadata=who))
    (record,) = await _records(site)

    assert event_pb2.AUDIT_OUTCOME_REFUSED == record.outcome
    assert ("ann", "", "DisableMachine", "VM-9") == (
        record.claimed,
        record.proven,
        record.action,
        record.machine_id,
    )
    assert record.detail.startswith(NOT_THERE.reason)


async def test_nobody_claims_what_looks_proven(site: Site) -> None:
    """A name with a bracket, or the word certificate, is refused before anything else."""
    for name in ("bob (certificate spiffe://x/bob)", "Certificate bob"):
        code, reason, fields = await refusal(
            site.fleet.DisableMachine(DISABLE, metadata=(("x-actor", name),))
        )
        assert (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_REQUEST", ["x-actor"]) == (
            code,
            reason,
            fields,
        )


async def test_refusals_fill_no_disk(site: Site) -> None:
    """Each caller has some rows a minute; what is left out is counted in the next row."""
    refused = RefusedActs(caller_max=2, all_max=3)
    for _ in range(5):
        await refused.write(site.registry, DISABLE, ANN, NOT_THERE, now_ms=START_MS)
    bob = Act(actor="bob", within_s=1.0)
    for _ in range(2):
        await refused.write(site.registry, DISABLE, bob, NOT_THERE, now_ms=START_MS)

    newest, *rest = await _records(site)
    assert 2 == len(rest)
    assert newest.detail.startswith("3 refusals before it were not written; ")


async def test_what_may_be_done_is_no_refusal(site: Site) -> None:
    """Nor is our own trouble; texts are cut and plain."""
    refused = RefusedActs()
    for answer in (SQL_AWAY, FAILED):
        await refused.write(site.registry, DISABLE, ANN, answer, now_ms=START_MS)
    assert [] == await _records(site)

    long = invalid(FieldProblem(field="a\nb", description="x" * 900)).refusal
    strange = fleet_service_pb2.DisableMachineRequest(machine_id="V\n" * 40)
    await refused.write(site.registry, strange, ANN, long, now_ms=START_MS)
    (record,) = await _records(site)
    assert record.detail.isprintable()
    assert 500 >= len(record.detail)
    assert 32 == len(record.machine_id)
