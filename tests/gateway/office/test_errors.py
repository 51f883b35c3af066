"""What storage refuses is told in words that say what to do."""

import grpc
import pytest

from gateway.fleet.errors import CallRefused
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
            "UpdatePriceList changes",
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
