"""Starts the pretend Alipay with keys of its own: the same folder serves it and a development
gateway.
"""

from collections.abc import Callable
from pathlib import Path

from alipay_client.simulator import SimulatorConfig
from alipay_client.simulator.config import DOCUMENTED_REDELIVERY_MS
from alipay_client.simulator.serve import serve
from gateway.process.addresses import cannot_listen, why_not
from gateway.process.development import PARTNER, make_keys
from gateway.process.sections import Address

BOOK = "alipay.db"
"""The book of money, in the folder of the keys."""
_QUICK_REDELIVERY_MS = (1_000, 2_000, 4_000, 8_000, 15_000, 30_000, 60_000)


async def pretend_alipay(
    state_dir: Path, *, host: str, port: int, seed: int, quick: bool, ready: Callable[[str], None]
) -> None:
    """Serve until SIGTERM or Ctrl-C. Keys are made in ``state_dir`` if there are none; the book of
    money is kept there. Raises OSError, or ListenRefused if it cannot listen.
    """
    config = configured(state_dir, seed=seed, quick=quick)
    place = Address(host=host, port=port)
    if port and (error := why_not(place)) is not None:
        raise cannot_listen(place, setting="the address of --host and --port", error=error)
    await serve(config, host=host, port=port, book_path=state_dir / BOOK, ready=ready)


def configured(state_dir: Path, *, seed: int, quick: bool) -> SimulatorConfig:
    """Return how it is made, with the keys in ``state_dir``, which are made if there are none."""
    keys = make_keys(state_dir)
    return SimulatorConfig(
        partner=PARTNER,
        sign_type="RSA2",
        alipay_private_key=keys.alipay_private.read_text(encoding="ascii"),
        merchant_public_key=keys.merchant_public.read_text(encoding="ascii"),
        redelivery_ms=_QUICK_REDELIVERY_MS if quick else DOCUMENTED_REDELIVERY_MS,
        seed=seed,
    )
