"""What a machine's frames are known by: their boot, their number, and their content. Pure leaves.

A number names one frame for ever. A frame under a number that was used is the same one again, which
changes nothing, or another one, which must not pass for it. Digests of the last frames tell them
apart; a boot that was superseded is told from a new one by its id.
"""

from functools import cache
from hashlib import blake2b
from typing import Any

from msgspec.structs import fields

from actors.machine import events
from actors.machine.ids import BootId
from actors.machine.incident import FaultsCounted
from actors.machine.state import EARLIER_BOOTS_KEPT, Boot, Link
from actors.machine.values import replace

COMPARED = 32
"""The last frames of a boot that are remembered by their content: a machine may have no more than
these unacknowledged (gateway/v1/machine_service.proto), so it sends no older one again.
"""
_CHARS = 8
_ANY = "-" * _CHARS
"""Stands for frames whose content was replaced by the shell."""
_REPLACED = (events.VendTurnedAway, FaultsCounted)


def digest(fact: events.MachineFact) -> str:
    """Return a short digest of what a frame says. Fields that have their default do not count, so
    that a field of a later version changes no digest.
    """
    if isinstance(fact, _REPLACED):
        return _ANY
    said = [type(fact).__name__]
    for name, default in _fields(type(fact)):
        value = getattr(fact, name)
        if value != default:
            said.append(f"{name}={value}")
    return blake2b("\x1f".join(said).encode(), digest_size=_CHARS // 2).hexdigest()


@cache
def _fields(kind: type[events.MachineFact]) -> tuple[tuple[str, Any], ...]:
    """Return the names of a fact's fields and their defaults; NODEFAULT is like no value."""
    return tuple((field.name, field.default) for field in fields(kind))


def applied(link: Link, event: events.FrameReceived) -> Link:
    """Return the link once the frame is applied; one that stands for several uses up all their
    numbers.
    """
    numbers = min(event.seq - link.last_seq, COMPARED)
    digests = (link.digests + numbers * digest(event.fact))[-COMPARED * _CHARS :]
    return replace(link, last_seq=event.seq, digests=digests)


def is_another(link: Link, event: events.FrameReceived) -> bool:
    """Return whether a frame under a used number says something else than the one that was applied.
    One that is too old to be compared passes for the same.
    """
    end = len(link.digests) - (link.last_seq - event.seq) * _CHARS
    known = link.digests[end - _CHARS : end] if end >= _CHARS else ""
    said = digest(event.fact)
    return bool(known) and _ANY not in {known, said} and known != said


def superseded(link: Link, boot_id: BootId) -> Boot | None:
    """Return the earlier boot of this id, if another one has taken its place for good.

    A boot of which no frame came has taken nobody's: its Hello may be older than the other's and
    have arrived late.
    """
    if boot_id == link.boot_id or link.last_seq == 0:
        return None
    return next((boot for boot in link.earlier_boots if boot.boot_id == boot_id), None)


def booted(link: Link, boot_id: BootId) -> Link:
    """Return the link for frames of this boot: of the same one, of one that never was superseded
    for good, or of a new one.
    """
    if boot_id == link.boot_id:
        return link
    known = next((boot for boot in link.earlier_boots if boot.boot_id == boot_id), None)
    earlier = tuple(boot for boot in link.earlier_boots if boot.boot_id != boot_id)
    if link.boot_id:
        earlier = (*earlier, Boot(boot_id=link.boot_id, last_seq=link.last_seq))
    return replace(
        link,
        boot_id=boot_id,
        last_seq=0 if known is None else known.last_seq,
        digests="",
        earlier_boots=earlier[-EARLIER_BOOTS_KEPT:],
    )
