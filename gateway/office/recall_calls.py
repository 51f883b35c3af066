"""The changing calls of RecallService: each request is checked whole, then done by the recalls; the
columns are locked behind it (``recall_worker``).

Flows in: a request of ``gateway.office.v1`` and who asks. Flows out: the recall and the columns
that it is about, or CallRefused with every problem of the request.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from actors.ports import Clock
from gateway.fleet.act import Act
from gateway.office.errors import deed_of, in_words
from gateway.office.fields import OfficeFields
from gateway.office.v1 import recall_service_pb2 as wire
from storage.office.locks import HeldView, Locks, LockView
from storage.office.recalls import NewRecall, Recalls, RecallView

COLUMNS_SHOWN_MAX = 200
RECALL_ID_LENGTH_MAX = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Recalled:
    """A recall, and the columns that hold some of it; there may be ``more``."""

    recall: RecallView
    columns: Sequence[HeldView]
    more: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Released:
    """A recall, and the columns that it locks until somebody has seen to them."""

    recall: RecallView
    columns: Sequence[LockView]
    more: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RecallCalls:
    """One method for each call, to be given to ``gateway.fleet.idempotence.Requests.once``.
    ``begun`` is called when there is something to look at; ``new_id`` names a recall.
    """

    recalls: Recalls
    locks: Locks
    clock: Clock
    begun: Callable[[], None]
    new_id: Callable[[], str]

    async def recall_lot(self, request: wire.RecallLotRequest, act: Act) -> Recalled:
        """RecallLot."""
        fields = OfficeFields().product(request.product)
        fields.line("lot", request.lot, least=1, most=64)
        fields.reason(request.reason, needed=True).done()
        wanted = NewRecall(product=request.product, lot=request.lot, reason=request.reason)
        return await self._begin(wanted, "RecallLot", act)

    async def recall_product(self, request: wire.RecallProductRequest, act: Act) -> Recalled:
        """RecallProduct."""
        OfficeFields().product(request.product).reason(request.reason, needed=True).done()
        wanted = NewRecall(product=request.product, lot="", reason=request.reason)
        return await self._begin(wanted, "RecallProduct", act)

    async def _begin(self, wanted: NewRecall, action: str, act: Act) -> Recalled:
        with in_words():
            made = await self.recalls.begin(
                self._id_for(act), wanted, deed_of(act, action, self.clock)
            )
        if act.validate_only:
            made = replace(made, recall_id="")  # this name will never be one
        self.begun()
        columns, more = await self.locks.held(wanted.product, wanted.lot, limit=COLUMNS_SHOWN_MAX)
        return Recalled(recall=made, columns=columns, more=bool(more))

    async def release(self, request: wire.ReleaseRecallRequest, act: Act) -> Released:
        """ReleaseRecall."""
        fields = OfficeFields().reason(request.reason, needed=True)
        recall_id(fields, request.recall_id).done()
        shown = await self.locks.page(
            recall_id=request.recall_id, after=("", "", ""), limit=COLUMNS_SHOWN_MAX + 1
        )
        with in_words():
            released = await self.recalls.release(
                request.recall_id,
                deed_of(act, "ReleaseRecall", self.clock),
                reason=request.reason,
            )
        self.begun()
        columns = shown[:COLUMNS_SHOWN_MAX]
        return Released(recall=released, columns=columns, more=len(shown) > len(columns))

    async def lock_expired(self, _: wire.LockExpiredRequest, act: Act) -> list[RecallView]:
        """LockExpired."""
        with in_words():
            made = await self.recalls.expire(deed_of(act, "LockExpired", self.clock))
        self.begun()
        return made

    def _id_for(self, act: Act) -> str:
        """Return the recall's name: the same each time for the same request."""
        if act.claim is None:
            return self.new_id()
        asked = act.claim.asked
        return hashlib.sha256(f"{asked.caller}\n{asked.request_id}".encode()).hexdigest()[:16]


def recall_id(fields: OfficeFields, value: str) -> OfficeFields:
    """Check the name of a recall."""
    if not 1 <= len(value) <= RECALL_ID_LENGTH_MAX or not (value.isascii() and value.isalnum()):
        fields.wrong("recall_id", "must be a recall_id that ListRecalls shows")
    return fields
