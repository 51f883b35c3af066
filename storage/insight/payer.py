"""What is held about one payer, for the payer who asks: they show who they are by the number of a
trade in their own Alipay app. The one answer that is of one person, and so the one beside the gate.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, case, func, select

from storage.auditing.reading import total
from storage.database.engine import Database
from storage.fleet.erasures import paid_by
from storage.insight.facts import FactKind
from storage.insight.tagging import given, told_until
from storage.insight.vouchers import VoucherKind
from storage.tables import (
    experiment_offers,
    experiment_payers,
    offers,
    payer_tags,
    payers,
    sale_facts,
    trades,
    voucher_redemptions,
)

TAGS_TOLD_MAX = 200
EXPERIMENTS_TOLD_MAX = 200
VOUCHERS_TOLD_MAX = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Bought:
    """What they bought in a currency, as far as facts of it are kept."""

    currency: str
    units: int
    sales_minor: int
    first_d: int
    last_d: int
    machines: int


@dataclass(frozen=True, slots=True, kw_only=True)
class HadTag:
    """They have a tag since a day, or had it until one."""

    tag: str
    version: int
    since_d: int
    until_d: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawnInto:
    """An experiment in which they are: their arm, and what they had spent in the time before."""

    experiment: str
    arm: str
    currency: str
    before_minor: int


@dataclass(frozen=True, slots=True, kw_only=True)
class UsedVouchers:
    """Vouchers that their payments took, as Alipay's files told; ``voucher_minor`` is what these
    paid, without those that were given back.
    """

    template: str
    currency: str
    redeemed: int
    given_back: int
    voucher_minor: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PayerView:
    """``known``: their Alipay account still leads to their number; if not, nothing else is told,
    because nothing else is theirs any more.
    """

    trade_id: str
    machine_id: str
    known: bool
    first_seen_ms: int = 0
    last_seen_ms: int = 0
    payments: int = 0
    bought: Sequence[Bought] = ()
    tags: Sequence[HadTag] = ()
    experiments: Sequence[DrawnInto] = ()
    vouchers: Sequence[UsedVouchers] = ()


class PayerBooks:
    """Asks a database. Raises StoreError when it does not answer."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def held(self, trade_id: str) -> PayerView:
        """Return what is held about the payer of a trade. Raises UnknownTrade
        (``storage.fleet.erasures``).
        """

        def work(connection: Connection) -> PayerView:
            machine_id, payer_id = paid_by(connection, trade_id)
            known = connection.execute(
                select(payers).where(payers.c.payer_id == payer_id)
            ).one_or_none()
            if known is None:
                return PayerView(trade_id=trade_id, machine_id=machine_id, known=False)
            of = trades.c.payer_id == payer_id
            return PayerView(
                trade_id=trade_id,
                machine_id=machine_id,
                known=True,
                first_seen_ms=known.first_seen_ms,
                last_seen_ms=known.last_seen_ms,
                payments=connection.scalar(select(func.count()).where(of)) or 0,
                bought=_bought(connection, payer_id),
                tags=_tags(connection, payer_id),
                experiments=_experiments(connection, payer_id),
                vouchers=_vouchers(connection, payer_id),
            )

        return await self._db.read(work)


def _bought(connection: Connection, payer_id: str) -> list[Bought]:
    f = sale_facts.c
    units = case((f.kind == FactKind.SALE.value, f.units), else_=0)
    wanted = (
        select(
            f.currency,
            total(units).label("units"),
            total(f.sales_minor).label("sales_minor"),
            func.min(f.d).label("first_d"),
            func.max(f.d).label("last_d"),
            func.count(f.machine_id.distinct()).label("machines"),
        )
        .where(f.payer_id == payer_id, f.payer_id != "")
        .group_by(f.currency)
        .order_by(f.currency)
    )
    return [Bought(**row) for row in connection.execute(wanted).mappings()]


def _tags(connection: Connection, payer_id: str) -> list[HadTag]:
    t = payer_tags.c
    wanted = (
        select(t.tag, t.version, t.since_d, told_until().label("until_d"))
        .where(t.payer_id == payer_id, given())
        .order_by(t.since_d.desc(), t.tag)
        .limit(TAGS_TOLD_MAX)
    )
    return [HadTag(**row) for row in connection.execute(wanted).mappings()]


def _experiments(connection: Connection, payer_id: str) -> list[DrawnInto]:
    p, o = experiment_payers.c, experiment_offers.c
    wanted = (
        select(p.experiment, p.arm, offers.c.currency, p.before_minor)
        .select_from(
            experiment_payers.join(experiment_offers, o.experiment == p.experiment).join(
                offers, offers.c.offer == o.offer
            )
        )
        .where(p.payer_id == payer_id)
        .order_by(p.experiment)
        .limit(EXPERIMENTS_TOLD_MAX)
    )
    return [DrawnInto(**row) for row in connection.execute(wanted).mappings()]


def _vouchers(connection: Connection, payer_id: str) -> list[UsedVouchers]:
    v, t = voucher_redemptions.c, trades.c
    redeemed = v.kind == VoucherKind.REDEEMED.value
    minor = case((redeemed, v.voucher_minor), else_=-v.voucher_minor)
    wanted = (
        select(
            v.template,
            v.currency,
            total(case((redeemed, 1), else_=0)).label("redeemed"),
            total(case((redeemed, 0), else_=1)).label("given_back"),
            total(minor).label("voucher_minor"),
        )
        .join_from(trades, voucher_redemptions, v.trade_id == t.trade_id)
        .where(t.payer_id == payer_id)
        .group_by(v.template, v.currency)
        .order_by(v.template, v.currency)
        .limit(VOUCHERS_TOLD_MAX)
    )
    return [UsedVouchers(**row) for row in connection.execute(wanted).mappings()]
