"""Makes ``docs/errors.md`` from the tables of refusals: how a machine's stream ends, and how an
administrator's call does. ``--check`` writes nothing and fails when the page is another.
"""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

from gateway.fleet import errors as fleet_errors
from gateway.rpc import prompt, statuses
from gateway.rpc.statuses import Refusal
from gateway.trust import refusals as trust_refusals

PAGE = Path(__file__).resolve().parent / "errors.md"
HEAD = f"""# Errors

Made from `gateway/rpc/statuses.py`, `gateway/rpc/prompt.py`, `gateway/trust/refusals.py`
and `gateway/fleet/errors.py` by `make docs-reference`.
Edit them, not this page.

Every refusal is a gRPC status with details of `google.rpc` in its trailing metadata.
`ErrorInfo.domain` is `{statuses.DOMAIN}`.
`ErrorInfo.reason` is the constant for programs; here it is the title.
`RetryInfo` says when to come back, and `BadRequest` names the fields that are wrong.
The message is a sentence that says what to do next; what stands in braces in it is filled in.
"""
STREAMS = """## How a machine's stream ends

A stream may end with OK, too: the machine half-closed it.
"""
HELD = """## How a call ends that only holds a connection

At both listeners, whoever makes it.
What lasts for a minute at most is health that is watched, and reflection.
"""
CERTIFICATES = """## How a machine gets no certificate

`Enrol` and `Renew` are refused so, and with those above that are about certificates.
"""
CALLS = """## How an administrator's call is refused

Besides these there are refusals that depend on what was named.
INVALID_ARGUMENT is about the request's fields, NOT_FOUND about what is not there.
FAILED_PRECONDITION is about its present state.
"""


def refusals(module: ModuleType) -> list[Refusal]:
    """Return the refusals that the module names, in its order."""
    return [one for one in vars(module).values() if isinstance(one, Refusal)]


def page() -> str:
    """Return the whole page."""
    lines = [
        HEAD,
        STREAMS,
        *_entries(statuses),
        HELD,
        *_entries(prompt),
        CERTIFICATES,
        *_entries(trust_refusals),
        CALLS,
        *_entries(fleet_errors),
    ]
    return "\n".join(lines).rstrip() + "\n"


def _entries(module: ModuleType) -> Iterator[str]:
    for one in refusals(module):
        yield f"### {one.reason}\n"
        again = "" if one.retry_after_ms is None else f" Come back after {_span(one)}."
        yield f"`{one.code.name}`.{again}\n"
        yield f"{one.message[0].upper()}{one.message[1:]}.\n"


def _span(refusal: Refusal) -> str:
    assert refusal.retry_after_ms is not None
    return f"{refusal.retry_after_ms / 1_000:g} s"


def main() -> None:
    """Write the page, or with ``--check`` compare it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail if it differs")
    made = page()
    if not parser.parse_args().check:
        PAGE.write_text(made)
    elif not PAGE.is_file() or PAGE.read_text() != made:
        sys.exit("docs/errors.md is not what the tables say; run 'make docs-reference'")


if __name__ == "__main__":
    main()
