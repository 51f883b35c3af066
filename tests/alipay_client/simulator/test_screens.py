"""What machines show just now."""

from alipay_client.simulator.screens import FORGOTTEN_AFTER_MS, Screens, Shown

ASKS = Shown(text="Scan to pay for A1", amount="8.50", until_ms=25_000)


def test_the_newest_word_counts_for_a_while() -> None:
    """What a machine said last is shown, until it has been silent for too long."""
    now_ms = 0
    screens = Screens(lambda: now_ms)
    assert screens.of("qr") is None
    screens.tell("qr", Shown(text="Scan to top up, or choose"))
    screens.tell("qr", ASKS)

    now_ms = FORGOTTEN_AFTER_MS
    assert ASKS == screens.of("qr")
    now_ms += 1
    assert screens.of("qr") is None
    screens.tell("qr", ASKS)
    assert ASKS == screens.of("qr")
