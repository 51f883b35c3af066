"""The spans of an examination in milliseconds, which plays wait and judges know."""

HEARTBEAT_MS = 5_000
BEAT_MS = 2_000
"""``heartbeat_interval_ms`` where heartbeats are what is examined."""
INITIAL_MS, MAX_MS = 500, 4_000
"""What Welcome says of coming back."""
TRIES = 16
"""So many streams fail, one after the other, while the gateway is away."""
WIDE_MS = 16_000
WIDE_TRIES = 5
"""After so many failures the range is so wide."""
GOOD_SESSIONS = 5
"""So many sessions that were good end behind them, each of which resets the range."""
RETRY_AFTER_MS = 6_000
MOVE_FROM_MS, MOVE_UNTIL_MS = 1_000, 7_000
SLOW_WELCOME_MS = 25_000
PING_LEAST_MS = 10_000
"""Pings that come closer end the connection."""
IDLE_MS = 35_000
"""For so long nothing happens where pings are what is examined."""
CASH_SALES = 40
ACKS_DUE = 16
"""After so many handled frames an acknowledgement is due."""

EXPIRES_IN_MS = 300_000
VALID_FOR_MS = 30_000
SHORT_MS = 3_000
"""What a machine does at once it has done within this time."""
REST_MS = 300

LONG_WAIT_MS, LONG_WAIT_MAX_MS = 30_000, 60_000
"""Half of a minute to all of it, after NOT_FOUND."""
SLACK_MS = 1_500
"""What the network and a slow board may add."""
DIAL_MS = 300
"""For so long a machine may need to open a connection after its wait."""
SLOW_DIAL_MS = 3_000
"""So long a small board may need for it, with TLS."""
EARLY_MS = 250
"""A timer that fires this much before its time is on time."""
