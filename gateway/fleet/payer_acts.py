"""Administrators' acts on persons: the payer of a trade is erased.

No actor is told: it goes on by the random number that it knows, which leads to nobody any more. So
a customer who is erased while a session of theirs is open, and pays once more, is a second customer
there, whose money goes back.
"""

from dataclasses import dataclass

from gateway.fleet import errors as fleet_errors
from gateway.fleet.act import Act, Acts
from gateway.fleet.errors import CallRefused, not_found
from storage.fleet.answers import RequestInProgress
from storage.fleet.erasures import Erasures, ErasureView, UnknownTrade


@dataclass(frozen=True, kw_only=True)
class PayerActs(Acts):
    """Carries them out."""

    erasures: Erasures

    async def erase_payer(self, trade_id: str, reason: str, act: Act) -> ErasureView:
        """Delete what leads from the payer of a trade to a person."""
        try:
            return await self.erasures.erase(
                trade_id,
                actor=act.by,
                reason=reason,
                now_ms=self.clock.now_ms(),
                claim=act.claim,
                only_check=act.validate_only,
            )
        except RequestInProgress:
            raise CallRefused(fleet_errors.REQUEST_IN_PROGRESS) from None
        except UnknownTrade:
            raise not_found("trade", trade_id) from None
