"""What administrators were refused stands in the audit log as well: who tries what they may not.

Flows in: a call that was refused, and who made it. Flows out: a row of ``audit``, within bounds
for each caller and for all of them together, so that nobody fills the books by being refused. How
many rows were left out is said in the next one. Whether the row can be written changes nothing of
the answer.
"""

from dataclasses import dataclass, field

import grpc
import structlog
from google.protobuf.message import Message

from actors.ports import StoreError
from gateway.fleet.act import Act
from gateway.rpc.statuses import Refusal
from storage.books.audit_rows import Outcome
from storage.fleet.registry import Registry

_log = structlog.get_logger()

MINUTE_MS = 60_000
DETAIL_LENGTH_MAX = 500
MACHINE_ID_LENGTH_MAX = 32
_MAY_BE_DONE = frozenset(
    {
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.INTERNAL,
        grpc.StatusCode.UNKNOWN,
        grpc.StatusCode.DEADLINE_EXCEEDED,
    }
)
"""These answers say "perhaps", or that we failed; nobody was refused anything."""
_WRITTEN_ALREADY = frozenset({"SECOND_PERSON_NEEDED", "REQUEST_IN_PROGRESS"})
"""The first is a proposal and has a row; of the second the act itself tells."""


@dataclass(slots=True, kw_only=True)
class RefusedActs:
    """Writes them down: ``caller_max`` rows a minute for one caller, ``all_max`` for all."""

    caller_max: int = 20
    all_max: int = 200
    _minute: int = 0
    _written: dict[str, int] = field(default_factory=dict)
    _left_out: int = 0

    async def write(
        self, registry: Registry, request: Message, act: Act, refusal: Refusal, *, now_ms: int
    ) -> None:
        """Write the row of a call, if there is to be one and there is room for it."""
        await self.note(
            registry,
            action=request.DESCRIPTOR.name.removesuffix("Request"),
            machine_id=machine_of(request),
            act=act,
            refusal=refusal,
            now_ms=now_ms,
        )

    async def note(
        self,
        registry: Registry,
        *,
        action: str,
        machine_id: str,
        act: Act,
        refusal: Refusal,
        now_ms: int,
    ) -> bool:
        """Write the row, if there is to be one; return whether there was room for it."""
        if refusal.code in _MAY_BE_DONE or refusal.reason in _WRITTEN_ALREADY:
            return True
        if not self._has_room(act.person or act.actor, now_ms // MINUTE_MS):
            self._left_out += 1
            return False
        left_out, self._left_out = self._left_out, 0
        said = f"{refusal.reason}: {refusal.message}"
        if left_out:
            said = f"{left_out} refusals before it were not written; {said}"
        try:
            await registry.audit(
                actor=act.by,
                action=action,
                machine_id=_plain(machine_id)[:MACHINE_ID_LENGTH_MAX],
                detail=_plain(said)[:DETAIL_LENGTH_MAX],
                now_ms=now_ms,
                outcome=Outcome.REFUSED,
            )
        except StoreError as error:
            self._left_out += left_out + 1
            _log.warning("a refusal is not in the audit log", error=str(error))
        return True

    def _has_room(self, caller: str, minute: int) -> bool:
        if minute != self._minute:
            self._minute, self._written = minute, {}
        mine = self._written.get(caller, 0)
        if mine >= self.caller_max or sum(self._written.values()) >= self.all_max:
            return False
        self._written[caller] = mine + 1
        return True


def machine_of(request: Message) -> str:
    """Return the id of the machine that a request names, whatever else is wrong with it."""
    named: str = getattr(request, "machine_id", "")
    machine = getattr(request, "machine", None)
    return named or ("" if machine is None else machine.machine_id)


def _plain(text: str) -> str:
    return "".join(letter if letter.isprintable() else " " for letter in text)
