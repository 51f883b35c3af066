"""The changing call of VoucherService: a file is checked whole, then kept whole or not at all."""

import asyncio
from dataclasses import dataclass

from actors.ports import Clock
from gateway.fleet.act import Act
from gateway.office import voucher_csv
from gateway.office.errors import deed_of, import_refused, in_words
from gateway.office.v1 import voucher_service_pb2 as wire
from storage.insight.vouchers import RedemptionsTaken, VoucherBooks
from storage.office.deeds import LinesRefused


@dataclass(frozen=True, slots=True, kw_only=True)
class VoucherCalls:
    """One method for each call, to be given to ``gateway.fleet.idempotence.Requests.once``."""

    vouchers: VoucherBooks
    clock: Clock

    async def import_file(
        self, request: wire.ImportRedemptionsRequest, act: Act
    ) -> RedemptionsTaken:
        """ImportRedemptions."""
        # The loop has customers.
        lines = await asyncio.to_thread(voucher_csv.read, request.csv)
        problems = [(line.number, said) for line in lines for said in line.problems]
        if problems:
            raise import_refused(problems)
        told = [(line.number, line.told) for line in lines if line.told is not None]
        deed = deed_of(act, "ImportRedemptions", self.clock)
        with in_words():
            try:
                return await self.vouchers.take([one for _, one in told], deed)
            except LinesRefused as refused:
                raise import_refused(
                    [(told[place][0], said) for place, said in refused.problems]
                ) from None
