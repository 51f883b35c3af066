"""How an administrator's call is refused, in the words of ``gateway.rpc.statuses``: one exception
that carries a Refusal.
"""

import dataclasses

import grpc

from gateway.rpc import statuses
from gateway.rpc.statuses import FieldProblem, Refusal, fitting


class CallRefused(Exception):
    """The call was not done, or not wholly: the refusal's message says which and what to do
    next.
    """

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.message)
        self.refusal = refusal


def camel(what: str) -> str:
    """Return a thing's name as it stands in the names of calls."""
    return "".join(word.capitalize() for word in what.split("_"))


def invalid(*problems: FieldProblem) -> CallRefused:
    """The request is wrong, whatever the state of the fleet is."""
    shown = fitting(problems)
    listed = "; ".join(f"{one.field}: {one.description}" for one in shown)
    if len(shown) < len(problems):
        listed += f"; and {len(problems) - len(shown)} more"
    return CallRefused(
        Refusal(
            code=grpc.StatusCode.INVALID_ARGUMENT,
            reason="INVALID_REQUEST",
            message=listed,
            problems=shown,
        )
    )


_SHOWN_BY = {
    "category": "ListProducts",
    "column": "GetMachine",
    "enrolment_token": "ListMachineCertificates",
    "manifest": "ListScreens",
    "place": "ListGoodsBalances",
}
"""What has no list of its own."""


def not_found(what: str, name: str) -> CallRefused:
    """There is no such machine, session, vend, trade or refund."""
    call = _SHOWN_BY.get(what, f"List{camel(what)}s")
    shown = f"{call} shows what there is"
    if what == "column":
        shown += ", ListConvergence whether its planogram is in force yet"
    return CallRefused(
        Refusal(
            code=grpc.StatusCode.NOT_FOUND,
            reason=f"{what.upper()}_NOT_FOUND",
            message=f"there is no {what.replace('_', ' ')} {name!r}: {shown}",
            metadata={what: name},
        )
    )


def no_work_item(item_id: str) -> CallRefused:
    """Nothing of this name waits for a person."""
    return CallRefused(
        Refusal(
            code=grpc.StatusCode.NOT_FOUND,
            reason="WORK_ITEM_NOT_FOUND",
            message=(
                f"no work item {item_id!r} waits: it was ended, or is about other money by now; "
                "ListWorkItems shows what waits"
            ),
            metadata={"item": item_id},
        )
    )


def already_registered(machine_id: str, detail: str) -> CallRefused:
    """Another registration has the id."""
    return CallRefused(
        Refusal(
            code=grpc.StatusCode.ALREADY_EXISTS,
            reason="MACHINE_EXISTS",
            message=(
                f"machine {machine_id} is registered with other content ({detail}): UpdateMachine "
                "and SetPlanogram change what can be changed; another currency takes another id"
            ),
            metadata={"machine": machine_id},
        )
    )


def looks_like(machine_id: str, other: str) -> CallRefused:
    """A new machine's id is taken for another one's."""
    return CallRefused(
        Refusal(
            code=grpc.StatusCode.ALREADY_EXISTS,
            reason="MACHINE_LOOKS_LIKE_ANOTHER",
            message=f"machine {machine_id} {said_alike(other)}",
            metadata={"machine": machine_id, "other": other},
        )
    )


def said_alike(other: str) -> str:
    """Return what is wrong with a new id that people take for another one."""
    return (
        f"is taken for {other}: the ids differ only by upper and lower case, or by letters that "
        "look like digits; if it is another machine, give it another id"
    )


def not_possible(reason: str, message: str, **about: str) -> CallRefused:
    """The request is right, but not for the present state of what it names."""
    return CallRefused(
        Refusal(
            code=grpc.StatusCode.FAILED_PRECONDITION, reason=reason, message=message, metadata=about
        )
    )


def etag_stale(what: str, name: str, etag: str) -> CallRefused:
    """Somebody else has changed it since the caller looked at it."""
    return CallRefused(
        Refusal(
            code=grpc.StatusCode.ABORTED,
            reason="ETAG_STALE",
            message=(
                f"{what} {name} was changed since its etag was read, which is {etag!r} now: "
                "look at it again, then repeat the call with the new etag"
            ),
            metadata={what: name, "etag": etag},
        )
    )


def retired(machine_id: str) -> CallRefused:
    """The machine is not part of the fleet any more."""
    return not_possible(
        "MACHINE_RETIRED",
        f"machine {machine_id} was retired, which is for ever: register it under another id if it "
        "is to sell again",
        machine=machine_id,
    )


def request_id_reused(request_id: str) -> CallRefused:
    """The id stands for another request of the same caller."""
    return CallRefused(
        Refusal(
            code=grpc.StatusCode.INVALID_ARGUMENT,
            reason="REQUEST_ID_REUSED",
            message=(
                f"the request id {request_id!r} was used for another call or with other content: "
                "nothing was done; choose a new id for a new request"
            ),
            metadata={"request_id": request_id},
            problems=(
                FieldProblem(field="request_id", description="was used for another request"),
            ),
        )
    )


def host_away(machine_id: str, *, saved: bool, sent: bool) -> CallRefused:
    """The machine's host did not answer in time. ``saved``: the registry holds the change, and the
    host finds it there.

    ``sent``: the act left for the host, and may have been done.
    """
    if saved:
        done = (
            "the change is saved and reaches the machine as soon as its host is back: no need to "
            "repeat"
        )
    elif sent:
        done = "nobody knows whether it was done: look, and repeat the call, which is safe"
    else:
        done = "nothing was done: repeat the call later"
    return CallRefused(
        Refusal(
            code=grpc.StatusCode.UNAVAILABLE,
            reason="HOST_UNAVAILABLE",
            message=f"the host of machine {machine_id} does not answer; {done}",
            metadata={"machine": machine_id, "saved": str(saved).lower()},
            retry_after_ms=5_000,
        )
    )


def goods_on_their_way(error: CallRefused) -> CallRefused:
    """Goods that were to come into a column have left where they were: its machine's host did not
    take them, or nobody knows.
    """
    refusal = error.refusal
    said = refusal.message
    if refusal.reason == "HOST_UNAVAILABLE":
        said = said.partition(";")[0]  # the rest speaks of the host's act alone
    way = (
        "the goods wait at a LOADING place, or are in the column already: repeat the call with its"
    )
    return CallRefused(
        dataclasses.replace(refusal, message=f"{said}; {way} request_id, which brings them on")
    )


def halted(machine_id: str) -> CallRefused:
    """The machine's host has halted it."""
    return CallRefused(
        statuses.HALTED.about(machine_id=machine_id).because("ReloadMachine tries it again")
    )


def goods_unheard(machine_id: str, goods: str) -> CallRefused:
    """The machine's host has not heard of goods with which it came, or of a column that comes
    again, ``goods`` in words, and would write down nowhere what is removed.
    """
    return CallRefused(
        Refusal(
            code=grpc.StatusCode.UNAVAILABLE,
            reason="HOST_BEHIND",
            message=(
                f"the host of machine {machine_id} has not heard yet of the planogram before this "
                f"one, so that nobody would know what becomes of {goods}: nothing was done; repeat "
                "the call in a moment"
            ),
            metadata={"machine": machine_id},
            retry_after_ms=1_000,
        )
    )


REQUEST_IN_PROGRESS = Refusal(
    code=grpc.StatusCode.ABORTED,
    reason="REQUEST_IN_PROGRESS",
    message=(
        "the same request is being done just now: repeat the call in a moment to hear its answer"
    ),
    retry_after_ms=1_000,
)
SQL_AWAY = Refusal(
    code=grpc.StatusCode.UNAVAILABLE,
    reason="SQL_UNAVAILABLE",
    message="the database does not answer: repeat the call, which is safe",
    retry_after_ms=2_000,
)
FAILED = Refusal(
    code=grpc.StatusCode.INTERNAL,
    reason="FAILED",
    message="the gateway failed on this call: its log says more",
)
TOO_MANY_POSTERS = Refusal(
    code=grpc.StatusCode.RESOURCE_EXHAUSTED,
    reason="TOO_MANY_POSTERS",
    message=(
        "this gateway draws as many posters a minute as it may, for you or for all: come back "
        "later, or use vendgate poster, which draws elsewhere"
    ),
    retry_after_ms=60_000,
)
TOO_MANY_CALLS = Refusal(
    code=grpc.StatusCode.RESOURCE_EXHAUSTED,
    reason="TOO_MANY_CALLS",
    message=(
        "more calls of {person} wait than this gateway keeps for one person: wait for answers "
        "before you ask on"
    ),
    retry_after_ms=5_000,
)
TOO_MANY_WATCHES = Refusal(
    code=grpc.StatusCode.RESOURCE_EXHAUSTED,
    reason="TOO_MANY_WATCHES",
    message=(
        "this gateway serves as many watches as it may, of you or of all: end one, or come back "
        "later"
    ),
    retry_after_ms=10_000,
)
TOKEN_AHEAD = Refusal(
    code=grpc.StatusCode.OUT_OF_RANGE,
    reason="TOKEN_AHEAD",
    message=(
        "these books end at {newest}, before after_token: they were restored, or are others; "
        "read them again from '0', or go on from now without a token"
    ),
)
NOT_PROVEN = Refusal(
    code=grpc.StatusCode.UNAUTHENTICATED,
    reason="NOT_PROVEN",
    message=(
        "nothing proves who calls: send a bearer token of the provider that the gateway trusts, "
        "call with a client certificate, or through the gateway's socket"
    ),
)
TOKEN_REFUSED = Refusal(
    code=grpc.StatusCode.UNAUTHENTICATED,
    reason="TOKEN_REFUSED",
    message="the bearer token is not believed ({why}): get a new one from the provider",
)
TOKENS_UNREADABLE = Refusal(
    code=grpc.StatusCode.UNAVAILABLE,
    reason="TOKENS_UNREADABLE",
    message=(
        "the keys of the tokens' provider cannot be had now, so that no token can be proved: come "
        "back later, or call with a client certificate"
    ),
    retry_after_ms=5_000,
)
CERTIFICATE_ENDED = Refusal(
    code=grpc.StatusCode.UNAUTHENTICATED,
    reason="CERTIFICATE_ENDED",
    message="the client certificate is not valid any more: renew it, and connect again",
)
PROOF_ENDED = Refusal(
    code=grpc.StatusCode.UNAUTHENTICATED,
    reason="PROOF_ENDED",
    message=(
        "the certificate or token of this call has ended while it was answered: call again with a "
        "new one"
    ),
)
NO_PERSON = Refusal(
    code=grpc.StatusCode.PERMISSION_DENIED,
    reason="NO_PERSON",
    message=(
        "the certificate is that of a machine, which calls nothing here: use an administrator's"
    ),
)
ACCESS_DENIED = Refusal(
    code=grpc.StatusCode.PERMISSION_DENIED,
    reason="ACCESS_DENIED",
    message="{caller} was denied: an owner ends that with DenialService/AllowAccess",
)
NO_ROLE = Refusal(
    code=grpc.StatusCode.PERMISSION_DENIED,
    reason="NO_ROLE",
    message=(
        "{caller} has no role here: whoever runs the gateways gives one in the settings, by "
        "[admin] roles or unit_roles, or [admin.tokens] roles"
    ),
)
ROLE_NEEDED = Refusal(
    code=grpc.StatusCode.PERMISSION_DENIED,
    reason="ROLE_NEEDED",
    message="this needs the role {needed}, and {caller} is {roles}: ask somebody who has it",
)
GUARD_OF_OWNERS = Refusal(
    code=grpc.StatusCode.PERMISSION_DENIED,
    reason="GUARD_OF_OWNERS",
    message=(
        "a limit that guards money is set by an owner, and {caller} is {roles}: leave it out of "
        "the policy and of update_mask, which must not name the whole policy, or ask an owner"
    ),
)
