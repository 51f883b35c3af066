"""What one turn of the core returns, as one value: the new state, what to do, what to write
down.
"""

from msgspec import Struct

from actors.machine.command import Command
from actors.machine.effects import Effect
from actors.machine.goods import GoodsMove
from actors.machine.incident import Incident
from actors.machine.ledger import Transfer
from actors.machine.offer import OfferUse
from actors.machine.state import Alarm, MachineState, Refund, Session, Trade, Vend

Record = Session | Vend | Trade | Refund | Alarm | Incident | Command
"""The present or final form of something that has a row of its own. A session or trade of which
nothing changed but what the state alone remembers is none.
"""


class Decision(Struct, frozen=True, kw_only=True):
    """``state.version`` is one above the old one, unless nothing at all came of the event (then
    ``changed`` is False).

    ``effects`` may be carried out once the rest is saved. ``notes`` tell what was left undone and
    why (a duplicate, a late fact).
    """

    state: MachineState
    changed: bool = True
    effects: tuple[Effect, ...] = ()
    transfers: tuple[Transfer, ...] = ()
    goods: tuple[GoodsMove, ...] = ()
    records: tuple[Record, ...] = ()
    notes: tuple[str, ...] = ()
    uses: tuple[OfferUse, ...] = ()
