"""Words of the wire as people read them: ``PHASE_SESSION_IDLE`` is "session idle"."""

from typing import Any

from gateway.fleet.enums import descriptor_of, word_of


def said(enum: Any, number: int) -> str:
    """Return the word of an enum's number; a dash if it has none."""
    return word_of(descriptor_of(enum), number).replace("_", " ").lower() or "–"


def code(enum: Any, number: int) -> str:
    """Return the word as programs know it; empty if it has none."""
    return word_of(descriptor_of(enum), number)
