"""What a poster needs to know of a machine, and what is known of one that was made. Nothing here
knows SQL: the process that draws (``gateway.posters.child``) loads half as long without it.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class PosterLine:
    """A machine as its poster needs it. ``status``, ``differs``, ``error`` and ``payload`` are its
    code's; ``place`` is the name of the site at which it stands, empty if at none.
    """

    machine_id: str
    payload: str
    status: str
    mode: str
    differs: tuple[str, ...] = ()
    error: str = ""
    enabled: bool = True
    retired: bool = False
    place: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Printed:
    """A poster that was made. ``code_id`` names the code that is on it."""

    machine_id: str
    code_id: str
    place: str = ""
