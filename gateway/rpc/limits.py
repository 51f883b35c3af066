"""The bounds of the gateway's doors: machines' streams with their listener, HTTP connections, and
Alipay's notifications.
"""

from dataclasses import dataclass

from actors.machine.policy import AMOUNT_MINOR_MAX


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgeLimits:
    """Every bound of a machine's stream and of the machine listener. All are above zero, but
    for ``move_notice_ms``, which may be zero.
    """

    hello_timeout_s: float = 10.0
    """The first frame must be a good Hello within this."""
    welcome_timeout_s: float = 15.0
    """A Hello is held for this long while its host is not there; then UNAVAILABLE."""
    answer_timeout_s: float = 3.0
    """A request for goods of which the host has said nothing for this long is denied here: its
    customer need not stand and wait until the host is back.
    """
    heartbeat_interval_ms: int = 20_000
    """Told to the machine."""
    silent_after_ms: int = 60_000
    """A stream that says nothing for this long is closed, and one of which nothing could be read
    for this long.
    """
    outbox_max: int = 64
    """With this many frames waiting to be written, one more is too much: the reader is too slow."""
    unacked_max: int = 32
    """With this many frames of the machine waiting for acknowledgement, nothing more is read."""
    write_timeout_s: float = 5.0
    """A write, or a closing, that takes longer ends the stream the hard way."""
    settle_timeout_s: float = 5.0
    """How long a stream that the machine half-closed waits for the answers that are still due."""
    bad_frames_max: int = 20
    """This many refused frames in a row are borne; one more closes the stream."""
    frames_per_s: int = 50
    """What a machine may send over time."""
    frames_burst: int = 200
    """What a machine may send at once."""
    hellos_per_minute: int = 30
    """So many Hellos of one machine are heard over time, twice as many at once."""
    repeats_per_minute: int = 30
    """So many frames that were applied before are written down as repeated; more are counted."""
    faults_per_minute: int = 10
    """So many faults of one machine get a line of their own; more are counted."""
    faults_held_s: float = 10.0
    """So long faults that are counted wait to be told."""
    journal_bytes_per_day: int = 16_777_216
    """About so much of the journal one machine may fill; beyond it, it is read more slowly."""
    machines_remembered_max: int = 40_000
    """Of so many machines it is known what they have used up."""
    strangers_per_s: int = 32
    """With more Hellos a second of machines that were not here before, it is asked in bulk whether
    they are registered.
    """
    message_bytes_max: int = 65_536
    """A frame of a machine has at most so many bytes."""
    metadata_bytes_max: int = 8_192
    """What comes before the frames of a stream has at most so many bytes."""
    streams_max: int = 20_000
    """This many streams are served in this gateway; further ones get RESOURCE_EXHAUSTED."""
    streams_per_machine_max: int = 4
    """One certificate has so many streams at the same time."""
    streams_per_connection_max: int = 4
    """A machine needs one; a second while it moves; health and reflection by hand."""
    reconnect_initial_ms: int = 1_000
    """Told to the machine: the range of its first delay; where many are connected it is wider."""
    reconnect_max_ms: int = 60_000
    """Told to the machine: the widest range of its delay."""
    reconnects_per_s: int = 1_000
    """After a loss of this gateway its machines come back not much faster than so many a second."""
    hellos_at_once: int = 64
    """So many Hellos a host has before it; further ones wait here, machines in a vend first."""
    hello_wait_s: float = 20.0
    """A Hello that waited for so long is sent away, and told when to come; then it goes before
    others.
    """
    move_notice_ms: int = 5_000
    """For so long a drain says "not ready" before the first machine is asked to come back: until
    balancers have noticed they would send it here again. It is welcome meanwhile.
    """
    move_spread_ms: int = 25_000
    """A drain asks machines to come back evenly over this time, or over less if they are few."""
    moves_per_s: int = 200
    """This many machines are asked to come back in a second, as long as the spread allows it."""
    move_window_ms: int = 10_000
    """A machine that may go has this long for it. Then its stream is closed, unless it sells."""
    move_deadline_ms: int = 120_000
    """A drain closes what is left so long after its notice."""
    watch_interval_s: float = 0.5
    """How often the streams are looked at."""
    connection_idle_max_ms: int = 20_000
    """A connection on which no call is open for this long is closed."""
    stream_age_max_ms: int = 3_600_000
    """At about this age (nine to eleven tenths of it) a machine is asked to move, and its
    connection takes no further stream, so that machines spread over gateways that are new. A vend
    is never broken off for it.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpLimits:
    """Every bound of the connections to one HTTP port. Each holds one descriptor."""

    connections_max: int = 1_024
    """With so many, the one that has waited longest goes when another one comes."""
    connections_per_address_max: int = 256
    """The same for one address. A proxy in front needs as many as it has requests under way."""
    head_timeout_s: float = 10.0
    """A connection brings its first whole head within this, and each further one within this of its
    first byte.
    """
    request_timeout_s: float = 60.0
    """A request is answered, and its answer taken, within this."""
    handshakes_max: int = 32
    """With so many agreeing upon TLS, the longest at it goes, of the address that has the most."""
    keep_alive_s: int = 15
    """How long a connection that was answered may wait without another request."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NotifyLimits:
    """Every bound of the way by which Alipay's notifications come in."""

    body_bytes_max: int = 32_768
    read_timeout_ms: int = 10_000
    in_flight_max: int = 64
    """With this many notifications under way, or a quarter of them of one machine, a further one
    gets 503 and comes again. What comes under a token that nobody has is none of them.
    """
    strangers_in_flight_max: int = 4
    """Notifications under a token that nobody has, whose bodies are read all the same, because
    Alipay may have signed them; a further one gets 404 unread.
    """
    foreign_a_day_max: int = 100
    """Rows of one machine and day, in one gateway, for what Alipay signed for another seller."""
    payment_minor_max: int = AMOUNT_MINOR_MAX
    """No single payment is larger."""
