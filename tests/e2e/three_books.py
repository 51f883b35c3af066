"""Whether ledger, Alipay's book and the machines' shelves tell one story."""

from storage.fleet.lists import Wanted
from tests.support.system import System


async def check(system: System) -> None:
    """Once everybody is quiet: both books agree, no motor turned twice, and no sale without
    goods.
    """
    system.no_new_customers()
    await agree(system)


async def agree(system: System) -> set[str]:
    """The same where nobody comes any more; return the vends that the ledger sold."""
    balance = await system.at_rest()
    assert (balance.money_in_minor, 0) == (
        balance.money_sold_minor
        + balance.money_refunded_minor
        + balance.refunds_written_off_minor
        - balance.goods_written_off_minor,
        balance.money_held_minor + balance.refunds_open_minor,
    ), balance
    assert set(system.motor_turns().values()) <= {1}
    dropped = system.dropped()
    sold: set[str] = set()
    before, wanted = "", Wanted(statuses=("SUCCEEDED",))
    while page := await system.queries.vends(wanted, position=before, limit=500):
        assert [] == [vend.vend_id for vend in page if dropped[vend.vend_id] != 1]
        sold.update(vend.vend_id for vend in page)
        before = page[-1].position
    return sold
