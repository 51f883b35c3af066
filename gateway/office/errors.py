"""How a call of the back office is told to storage, and how it is refused: what storage says, in
the words of ``gateway.fleet.errors``.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import grpc

from actors.ports import Clock
from gateway.fleet import errors as fleet_errors
from gateway.fleet.act import Act
from gateway.fleet.errors import CallRefused, camel, not_found, not_possible
from gateway.office.csv_files import each_once
from gateway.rpc.statuses import FieldProblem, Refusal, fitting
from storage.fleet.answers import RequestInProgress
from storage.office.deeds import (
    AlreadyThere,
    Deed,
    EtagOutdated,
    NotPossible,
    NotThere,
    OfficeRefused,
)
from storage.office.screen_sweeps import UNUSED_DAYS

PROBLEMS_SHOWN_MAX = 20
"""A status travels in the trailing metadata, where there is room for little."""


_CHANGED_BY = {
    "price_list": "SetPrices",
    "visit": "CloseVisit",
    "screen_plan": "EndScreenPlan",
}
"""What has no call that updates it."""
_NEVER_CHANGED = {"experiment": "it never changes: CreateExperiment makes another one"}


@contextmanager
def in_words() -> Iterator[None]:
    """Let what storage refuses be told to the caller. Raises CallRefused."""
    try:
        yield
    except OfficeRefused as error:
        raise refused(error) from None
    except RequestInProgress:
        raise CallRefused(fleet_errors.REQUEST_IN_PROGRESS) from None


def deed_of(act: Act, action: str, clock: Clock) -> Deed:
    """Return what storage is to know of a call."""
    return Deed(
        actor=act.by,
        action=action,
        now_ms=clock.now_ms(),
        claim=act.claim,
        only_check=act.validate_only,
        person=act.person,
        told_by=act.told_by,
    )


def import_refused(
    problems: Sequence[tuple[int, str]], *, beside: Sequence[FieldProblem] = ()
) -> CallRefused:
    """A file has something wrong in its lines, and nothing of it was done. ``beside``: what is
    wrong beside the file.
    """
    said = [*beside]
    said += [FieldProblem(field="csv", description=one) for one in each_once(problems)]
    shown = fitting(said[:PROBLEMS_SHOWN_MAX])
    more = len(said) - len(shown)
    listed = "; ".join(one.description for one in shown)
    behind = f"; and {more} more, which validate_only shows" if more else ""
    return CallRefused(
        Refusal(
            code=grpc.StatusCode.INVALID_ARGUMENT,
            reason="IMPORT_REFUSED",
            message=f"nothing of the file was done: {listed}{behind}",
            metadata={"problems": str(len(problems))},
            problems=shown,
        )
    )


def no_manifest(name: str, plays_days: int) -> CallRefused:
    """There is no such manifest, or not any more."""
    return CallRefused(
        Refusal(
            code=grpc.StatusCode.NOT_FOUND,
            reason="MANIFEST_NOT_FOUND",
            message=(
                f"there is no manifest {name!r}: one that no machine shows is kept while there are "
                f"plays of it, which are kept for {plays_days} days, and for {UNUSED_DAYS} days; "
                "GetScreen names those that a machine shows and is to show"
            ),
            metadata={"manifest": name},
        )
    )


def refused(error: OfficeRefused) -> CallRefused:
    """Return why storage did not make the change, in words that say what to do."""
    match error:
        case NotThere(what=what, name=name):
            return not_found(what, name)
        case EtagOutdated(what=what, name=name, etag=etag):
            return fleet_errors.etag_stale(what, name, etag)
        case AlreadyThere(what=what, name=name, detail=detail):
            call = _CHANGED_BY.get(what, f"Update{camel(what)}")
            what_to_do = _NEVER_CHANGED.get(what, f"{call} changes what can be changed")
            return CallRefused(
                Refusal(
                    code=grpc.StatusCode.ALREADY_EXISTS,
                    reason=f"{what.upper()}_EXISTS",
                    message=(
                        f"{what.replace('_', ' ')} {name!r} is there with other content "
                        f"({detail}): {what_to_do}"
                    ),
                    metadata={what: name},
                )
            )
        case NotPossible(reason=reason, sentence=sentence, about=about):
            return not_possible(reason, sentence, **about)
    raise AssertionError(f"no words are known for {type(error).__name__}")
