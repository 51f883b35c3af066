"""The calls of AuditDataService: files in, read-outs out, and the other way round.

Flows in: a request and who asks. Flows out: what storage has afterwards, or CallRefused. A file is
read whole before anything of it is kept.
"""

import asyncio
import hashlib
import re
from dataclasses import dataclass

import grpc

from actors.ports import Clock
from gateway.fleet.act import Act
from gateway.fleet.caller import named
from gateway.fleet.errors import CallRefused
from gateway.office.errors import deed_of, in_words
from gateway.office.evadts.reading import Read, read
from gateway.office.evadts.segments import FINDINGS_MAX, ReadoutRefused
from gateway.office.evadts.writing import SENDER
from gateway.office.fields import OfficeFields
from gateway.office.v1 import audit_data_service_pb2 as wire
from gateway.rpc.statuses import FieldProblem, Refusal
from storage.office.audit_data import AuditData, AuditReset
from storage.office.readout_rows import NewReadout, ReadoutFinding, ReadoutView
from storage.office.readouts import Readouts

AHEAD_MS_MAX = 300_000
"""The clock of whoever brings a read-out may be ahead of ours by this much."""
OURS = (
    "it is what ExportMachineAudit wrote out of the books, and they would be compared with "
    "themselves: bring what the machine counted, as the reading device wrote it"
)
_READOUT_ID = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditDataCalls:
    """One method for each change, to be given to ``gateway.fleet.idempotence.Requests.once``."""

    audit: AuditData
    readouts: Readouts
    clock: Clock

    async def reset(self, request: wire.ResetMachineAuditRequest, act: Act) -> AuditReset:
        """ResetMachineAudit."""
        OfficeFields().machine_id(request.machine_id).reason(request.reason, needed=True).done()
        deed = deed_of(_who(act), "ResetMachineAudit", self.clock)
        with in_words():
            return await self.audit.reset(request.machine_id, deed, reason=request.reason)

    async def bring(self, request: wire.ImportReadoutRequest, act: Act) -> list[ReadoutView]:
        """ImportReadout."""
        fields = OfficeFields().machine_id(request.machine_id, needed=False)
        read_at_ms = None
        if request.HasField("read_at"):
            read_at_ms = fields.time_ms("read_at", request.read_at)
            if read_at_ms > self.clock.now_ms() + AHEAD_MS_MAX:
                fields.wrong("read_at", "must not be in the future")
        fields.done()
        try:
            found = await asyncio.to_thread(read, request.eva_dts)  # The loop has customers.
        except ReadoutRefused as error:
            raise _refused(str(error)) from None
        if any(one.sender == SENDER for one in found):
            raise _refused(OURS)
        deed = deed_of(_who(act), "ImportReadout", self.clock)
        at_ms = deed.now_ms if read_at_ms is None else read_at_ms
        brought = [_new(one, request, at_ms) for one in found]
        with in_words():
            return await self.readouts.keep(brought, deed)


def _who(act: Act) -> Act:
    """Return who does it, who must have a name if anything is kept. Raises CallRefused."""
    return act if act.validate_only else named(act)


def readout_id(fields: OfficeFields, value: str) -> OfficeFields:
    """Check the name of a read-out."""
    if not _READOUT_ID.fullmatch(value):
        fields.wrong("readout_id", "must be the readout_id that ImportReadout answered")
    return fields


def _refused(sentence: str) -> CallRefused:
    problem = FieldProblem(field="eva_dts", description=sentence)
    return CallRefused(
        Refusal(
            code=grpc.StatusCode.INVALID_ARGUMENT,
            reason="READOUT_REFUSED",
            message=f"nothing of the file was kept: {sentence}",
            problems=(problem,),
        )
    )


def _new(one: Read, request: wire.ImportReadoutRequest, read_at_ms: int) -> NewReadout:
    findings = [
        ReadoutFinding(line=each.line, defect=each.defect.value, sentence=each.sentence)
        for each in one.findings[:FINDINGS_MAX]
    ]
    if one.findings_left_out:
        sentence = f"{one.findings_left_out} more things are wrong that are like these"
        findings.append(ReadoutFinding(line=0, defect=findings[-1].defect, sentence=sentence))
    return NewReadout(
        readout_id=hashlib.sha256(one.content).hexdigest(),
        machine_id=request.machine_id,
        serial=one.serial,
        asset=one.asset,
        said_at=one.said_at[:32],
        read_at_ms=read_at_ms,
        baseline=request.baseline,
        damaged=one.damaged,
        partial=one.partial,
        currency=one.currency,
        decimals=one.decimals,
        counters=one.counters,
        findings=tuple(findings),
        content=one.content,
    )
