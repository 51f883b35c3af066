"""What of the machines' messages is looked at, as their descriptors have it."""

from collections.abc import Iterator

import pytest
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.field_mask_pb2 import FieldMask

from gateway.machines.shapes import Shape, shape_of
from gateway.v1.machine_service_pb2 import ConnectRequest, ConnectResponse

FRAMES = [ConnectRequest, ConnectResponse]


def seen(shape: Shape, path: str) -> Iterator[str]:
    """Every text and enum that a shape leads to, by its way there."""
    yield from (f"{path}{name}" for name, _ in shape.texts)
    yield from (f"{path}{name}={sorted(numbers)}" for name, numbers in shape.enums)
    for name, held in shape.held:
        yield from seen(held, f"{path}{name}.")
    for _, may_be in shape.chosen:
        for name, held in may_be.items():
            yield from seen(held, f"{path}{name}.")
    for name, _, held in shape.lists:
        yield from seen(held, f"{path}{name}.")


def there(message: Descriptor, path: str) -> Iterator[str]:
    """The same, by the descriptors alone."""
    for field in message.fields:
        name = f"{path}{field.name}"
        if field.message_type is not None:
            yield from there(field.message_type, f"{name}.")
        elif field.enum_type is not None:
            yield f"{name}={sorted(field.enum_type.values_by_number)}"
        elif field.type == FieldDescriptor.TYPE_STRING:
            yield name


@pytest.mark.parametrize("frame", FRAMES)
def test_nothing_is_left_out_and_nothing_looked_at_twice(
    frame: type[ConnectRequest | ConnectResponse],
) -> None:
    """Every text and every enum that a frame can hold is found, once."""
    found = sorted(seen(shape_of(frame), ""))
    assert found == sorted(there(frame.DESCRIPTOR, ""))
    assert found


def test_texts_and_lists_stand_with_what_their_bounds_go_by() -> None:
    """Message and field, wherever the message is held."""
    chosen = dict(shape_of(ConnectRequest).chosen)["payload"]
    assert ("vend_id", "VendSuccess.vend_id") in chosen["vend_success"].texts
    [(name, path, entry)] = chosen["hello"].lists
    assert ("journal_tail", "Hello.journal_tail") == (name, path)
    assert (("vend_id", "JournalEntry.vend_id"),) == entry.texts


def test_a_list_of_texts_is_refused() -> None:
    """Of one nobody would look at what is in it."""
    with pytest.raises(TypeError, match=r"FieldMask\.paths is a list of no messages"):
        shape_of(FieldMask)
