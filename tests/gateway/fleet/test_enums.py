"""Words of the core and numbers of the wire: whatever the core can say has its own number."""

from enum import StrEnum

import pytest
from google.protobuf.descriptor import EnumDescriptor

from actors.machine import code, state
from gateway.fleet import enums
from gateway.fleet.v1 import machine_pb2, session_pb2, trade_pb2, work_item_pb2
from gateway.v1 import machine_pb2 as machines_wire
from storage.fleet.views import WorkItemKind

WORDS: dict[str, tuple[EnumDescriptor, set[str]]] = {
    descriptor.name: (descriptor, {word for kind in kinds for word in kind} | more)
    for descriptor, kinds, more in (
        (enums.descriptor_of(machines_wire.Mode), (state.Mode,), set[str]()),
        (enums.descriptor_of(machine_pb2.Phase), (state.Phase,), set[str]()),
        (enums.descriptor_of(machine_pb2.CodeStatus), (code.CodeStatus,), set[str]()),
        (enums.descriptor_of(session_pb2.SessionEndReason), (state.EndReason,), set[str]()),
        (enums.descriptor_of(session_pb2.VendStatus), (state.VendStatus,), set[str]()),
        (
            enums.descriptor_of(session_pb2.VendReason),
            (state.DenyReason, state.FailureCause),
            {"WRITTEN_OFF"},
        ),
        (enums.descriptor_of(trade_pb2.RefundStatus), (state.RefundStatus,), set[str]()),
        (enums.descriptor_of(trade_pb2.RefundCause), (state.RefundCause,), set[str]()),
        (enums.descriptor_of(work_item_pb2.WorkItemKind), (WorkItemKind,), set[str]()),
        (enums.descriptor_of(session_pb2.SessionStatus), (), {"OPEN", "ENDED"}),
        (enums.descriptor_of(trade_pb2.TradeStatus), (), {"OPEN", "CLOSED"}),
    )
}


@pytest.mark.parametrize("name", WORDS)
def test_each_word_of_the_core_has_its_number_and_no_other_word_has_one(name: str) -> None:
    """What the core says is shown, and what can be asked for can happen."""
    descriptor, words = WORDS[name]
    assert {str(word) for word in words} == set(enums.words_of(descriptor))


@pytest.mark.parametrize("name", WORDS)
def test_there_and_back(name: str) -> None:
    """A word is the word of its number."""
    descriptor, words = WORDS[name]
    for word in words:
        number = enums.number_of(descriptor, word)
        assert (str(word), True) == (enums.word_of(descriptor, number), number > 0)


def test_names_are_as_a_caller_writes_them() -> None:
    """With what their enum puts before its words."""
    descriptor = enums.descriptor_of(machine_pb2.Phase)
    names = enums.names_of(descriptor)
    assert names == machine_pb2.Phase.keys()[1:]
    assert f"one of {', '.join(names)}" == enums.names_said(descriptor)


def test_a_word_of_a_newer_version_is_shown_as_unspecified() -> None:
    """One row does not keep a list from being read."""

    class Newer(StrEnum):
        ELSEWHERE = "ELSEWHERE"

    phase = enums.descriptor_of(machine_pb2.Phase)
    assert enums.UNSPECIFIED == enums.number_of(phase, Newer.ELSEWHERE)
    assert "" == enums.word_of(phase, 99)
