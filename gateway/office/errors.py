"""How a call of the back office is refused: what storage says, in the words of
``gateway.fleet.errors``.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import grpc

from gateway.fleet import errors as fleet_errors
from gateway.fleet.errors import CallRefused, not_found, not_possible
from gateway.rpc.statuses import Refusal
from storage.fleet.answers import RequestInProgress
from storage.office.deeds import (
    AlreadyThere,
    EtagOutdated,
    NotPossible,
    NotThere,
    OfficeRefused,
)


@contextmanager
def in_words() -> Iterator[None]:
    """Let what storage refuses be told to the caller. Raises CallRefused."""
    try:
        yield
    except OfficeRefused as error:
        raise refused(error) from None
    except RequestInProgress:
        raise CallRefused(fleet_errors.REQUEST_IN_PROGRESS) from None


def refused(error: OfficeRefused) -> CallRefused:
    """Return why storage did not make the change, in words that say what to do."""
    match error:
        case NotThere(what=what, name=name):
            return not_found(what, name)
        case EtagOutdated(what=what, name=name, etag=etag):
            return fleet_errors.etag_stale(what, name, etag)
        case AlreadyThere(what=what, name=name, detail=detail):
            return CallRefused(
                Refusal(
                    code=grpc.StatusCode.ALREADY_EXISTS,
                    reason=f"{what.upper()}_EXISTS",
                    message=(
                        f"{what} {name!r} is there with other content ({detail}): "
                        f"Update{_camel(what)} changes what can be changed"
                    ),
                    metadata={what: name},
                )
            )
        case NotPossible(reason=reason, sentence=sentence, about=about):
            return not_possible(reason, sentence, **about)
    raise AssertionError(f"no words are known for {type(error).__name__}")


def _camel(what: str) -> str:
    return "".join(word.capitalize() for word in what.split("_"))
