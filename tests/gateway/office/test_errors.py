"""What storage refuses is told in words that say what to do."""

import re
from pathlib import Path

import grpc
import pytest

import storage
from gateway.fleet.errors import CallRefused
from gateway.office import services
from gateway.office.errors import in_words, refused
from storage.fleet.answers import RequestInProgress
from storage.office.deeds import AlreadyThere, EtagOutdated, NotPossible, NotThere, OfficeRefused


@pytest.mark.parametrize(
    ("error", "code", "reason", "says"),
    [
        (
            NotThere("product", "cola"),
            grpc.StatusCode.NOT_FOUND,
            "PRODUCT_NOT_FOUND",
            "there is no product 'cola': ListProducts",
        ),
        (
            EtagOutdated("product", "cola", "3"),
            grpc.StatusCode.ABORTED,
            "ETAG_STALE",
            "product cola was changed since its etag was read, which is '3' now",
        ),
        (
            AlreadyThere("price_list", "day", "name 'a' -> 'b'"),
            grpc.StatusCode.ALREADY_EXISTS,
            "PRICE_LIST_EXISTS",
            "SetPrices changes",
        ),
        (
            NotPossible("PRODUCT_ARCHIVED", "restore it", product="cola"),
            grpc.StatusCode.FAILED_PRECONDITION,
            "PRODUCT_ARCHIVED",
            "restore it",
        ),
    ],
)
def test_each_reason_has_its_words(
    error: OfficeRefused, code: grpc.StatusCode, reason: str, says: str
) -> None:
    """A constant for programs, a sentence for people."""
    told = refused(error).refusal
    assert (code, reason) == (told.code, told.reason)
    assert says in told.message


@pytest.mark.parametrize("error", [NotThere, AlreadyThere])
def test_whoever_is_refused_is_sent_to_a_call_that_there_is(error: type[OfficeRefused]) -> None:
    """Whatever storage says is not there, or is there already."""
    folder = Path(storage.__path__[0])
    said = "".join(file.read_text(encoding="utf-8") for file in folder.glob("*/*.py"))
    things = set(re.findall(rf'raise {error.__name__}\("([a-z_]+)"', said))
    assert things
    calls = set(services.METHODS)
    for thing in things:
        message = refused(error(thing, *["x"] * (error is AlreadyThere), "y")).refusal.message
        assert calls.intersection(re.findall(r"[A-Z][A-Za-z_]+", message)), message
        assert "_" not in message, message


def test_a_reason_without_words_is_found_by_us() -> None:
    """It is a defect, and not told as something else."""
    with pytest.raises(AssertionError, match="no words are known for OfficeRefused"):
        refused(OfficeRefused())


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (NotThere("product", "cola"), "PRODUCT_NOT_FOUND"),
        (RequestInProgress(), "REQUEST_IN_PROGRESS"),
    ],
)
def test_what_storage_raises_is_told(error: Exception, reason: str) -> None:
    """Also that somebody else is at it."""
    with pytest.raises(CallRefused) as told, in_words():
        raise error
    assert reason == told.value.refusal.reason
