"""The changing calls about persons: each request is checked whole, then done by the acts."""

from dataclasses import dataclass

from gateway.fleet.act import Act
from gateway.fleet.caller import named
from gateway.fleet.payer_acts import PayerActs
from gateway.fleet.requests import Fields
from gateway.fleet.v1 import trade_service_pb2
from storage.fleet.erasures import ErasureView


@dataclass(frozen=True, slots=True, kw_only=True)
class PayerCalls:
    """One method for each call, to be given to ``gateway.fleet.idempotence.Requests.once``."""

    acts: PayerActs

    async def erase_payer(
        self, request: trade_service_pb2.ErasePayerRequest, act: Act
    ) -> ErasureView:
        """ErasePayer."""
        Fields().some_id("trade_id", request.trade_id).reason(request.reason, needed=True).done()
        return await self.acts.erase_payer(request.trade_id, request.reason, named(act))
