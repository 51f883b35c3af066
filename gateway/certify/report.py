"""The report of an examination: JSON for programs, one HTML file for people.

Flows in: findings and moments. Flows out: texts. The HTML loads nothing, runs no script and stands
alone, so that a maker can hand it on. What machines say is text in it, never markup.
"""

import datetime as dt
import json
from importlib import metadata
from pathlib import Path
from typing import Any

from google.protobuf import json_format
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from gateway.certify.examination import Examined, Judged
from gateway.certify.moments import MachineMoment, MomentKind, RuleOutcome
from gateway.process.texts import json_lines, plain

FORMAT = 1
EXAMINER = f"vendgate {metadata.version('vendgate')}"
DOCUMENT = "docs/firmware.md"
SHOWN_MAX = 200
"""The HTML shows at most so many moments of a rule; the JSON has all."""
STRANGER = MomentKind.STRANGER
WORDS = {RuleOutcome.PASS: "pass", RuleOutcome.FAIL: "fail", RuleOutcome.NOT_TRIED: "not tried"}
HEADINGS = {**WORDS, RuleOutcome.NOT_TRIED: "nothing broken, not all tried"}


def as_json(examined: Examined, *, began: dt.datetime) -> str:
    """Return the report as JSON."""
    return json_lines(
        {
            "format": FORMAT,
            "machine_id": examined.machine_id,
            "firmware": examined.firmware,
            "examiner": EXAMINER,
            "began": began.isoformat(timespec="seconds"),
            "turned_away": strangers(examined),
            "outcome": outcome(examined).value,
            "counts": {each.value: examined.count(each) for each in RuleOutcome},
            "rules": [_rule(finding) for finding in examined.findings],
            "moments": [_moment(moment) for moment in examined.moments],
        }
    )


def strangers(examined: Examined) -> list[str]:
    """Return the ids of other machines, which were turned away."""
    return sorted({plain(each.text) for each in examined.moments if each.kind is STRANGER})


def outcome(examined: Examined) -> RuleOutcome:
    """Return what the whole came to."""
    return {0: RuleOutcome.PASS, 1: RuleOutcome.FAIL}.get(examined.status, RuleOutcome.NOT_TRIED)


def _rule(finding: Judged) -> dict[str, Any]:
    rule, verdict = finding.rule, finding.verdict
    return {
        "name": rule.name,
        "says": rule.says,
        "see": f"{DOCUMENT}#{rule.anchor}",
        "outcome": verdict.outcome.value,
        "why": verdict.why,
        "rests_on": list(verdict.at),
        "after": finding.begins,
        "through": finding.ends,
    }


def _moment(moment: MachineMoment) -> dict[str, Any]:
    return {
        "number": moment.number,
        "at_ms": moment.at_ms,
        "kind": moment.kind.value,
        "stream": moment.stream,
        "frame": None if moment.frame is None else json_format.MessageToDict(moment.frame),
        "text": moment.text,
    }


def as_html(examined: Examined, *, began: dt.datetime) -> str:
    """Return the report as one HTML file."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("report.html").render(
        machine_id=plain(examined.machine_id) or "no machine",
        firmware=plain(examined.firmware),
        began=began.isoformat(sep=" ", timespec="seconds"),
        outcome=WORDS[outcome(examined)],
        heading=HEADINGS[outcome(examined)],
        strangers=strangers(examined),
        examiner=EXAMINER,
        counts={WORDS[each]: examined.count(each) for each in RuleOutcome},
        rules=[_shown(finding, examined.moments) for finding in examined.findings],
        document=DOCUMENT,
    )


def _shown(finding: Judged, moments: tuple[MachineMoment, ...]) -> dict[str, Any]:
    """Return a rule for the template: of a play all moments, of a rule of the whole run those that
    the verdict rests on.
    """
    cited = set(finding.verdict.at)
    played = moments[finding.begins : finding.ends] if finding.rule.play else ()
    wanted = played or tuple(each for each in moments if each.number in cited)
    return {
        "name": finding.rule.name,
        "says": finding.rule.says,
        "anchor": finding.rule.anchor,
        "outcome": WORDS[finding.verdict.outcome],
        "why": plain(finding.verdict.why),
        "rows": [_row(each, cited=each.number in cited) for each in wanted[:SHOWN_MAX]],
        "left_out": max(0, len(wanted) - SHOWN_MAX),
    }


def _row(moment: MachineMoment, *, cited: bool) -> dict[str, Any]:
    return {
        "number": moment.number,
        "at": f"{moment.at_ms / 1000:.3f}",
        "stream": moment.stream or "",
        "sign": {MomentKind.HEARD: ">", MomentKind.UNREAD: ">", MomentKind.SAID: "<"}.get(
            moment.kind, "·"
        ),
        "text": plain(one_line(moment)),
        "cited": cited,
    }


def _since(text: str) -> str:
    """Return how close a ping was to the one before."""
    return f"{text} ms after the one before" if text.isdigit() else "after something was sent"


def one_line(moment: MachineMoment) -> str:
    """Return a moment as one line."""
    if moment.frame is not None and moment.kind is not MomentKind.UNREAD:
        told = json_format.MessageToDict(moment.frame)
        return json.dumps(told, ensure_ascii=False, separators=(",", ":"))
    words = {
        MomentKind.OPENED: "the machine opens a stream",
        MomentKind.CLOSED: "the machine hangs up",
        MomentKind.ENDED: f"the examiner ends the stream: {moment.text}",
        MomentKind.HAND: f"at the machine: {moment.text}",
        MomentKind.COUNTED: f"motors have turned: {moment.text}",
        MomentKind.NAMELESS: "somebody hangs up who said no Hello",
        MomentKind.TAPPED: "HTTP/2 pings can be seen on the connection of this stream",
        MomentKind.STRANGER: f"another machine calls and is turned away: {moment.text}",
        MomentKind.UNREAD: f"not to be read: {moment.text}",
        MomentKind.PINGED: f"an HTTP/2 ping, {_since(moment.text)}",
    }
    return words.get(moment.kind, moment.text)
