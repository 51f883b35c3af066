"""The report, for programs and for people."""

import datetime as dt
import json
import re
from dataclasses import replace

from gateway.certify.examination import Examined, Judged
from gateway.certify.moments import MomentKind, broken, kept, untried
from gateway.certify.report import as_html, as_json, one_line
from gateway.certify.rules import chosen_rules
from gateway.v1 import machine_pb2 as pb
from gateway.v1 import machine_service_pb2 as service_pb
from tests.gateway.certify.told import Tale

BEGAN = dt.datetime(2026, 11, 30, 3, 0, tzinfo=dt.UTC)


def report() -> Examined:
    tale = (
        Tale().connected(firmware="<b>bold</b> 1.0").asked().note(MomentKind.HAND, text="select A1")
    )
    rules = {rule.name: rule for rule in chosen_rules(["pay-first", "resend", "numbers"])}
    return Examined(
        findings=(
            Judged(rules["pay-first"], kept("it did", tale.moments[2]), 0, 4),
            Judged(rules["resend"], untried("nobody was there"), 4, 4),
            Judged(rules["numbers"], broken("<script>1</script>", tale.moments[2]), 0, 4),
        ),
        moments=tuple(tale.moments),
        machine_id="VM-0001",
        firmware="<b>bold</b> 1.0",
    )


def test_programs_read_all_of_it() -> None:
    """Each verdict with its rule, its place in the document and its moments."""
    told = json.loads(as_json(report(), began=BEGAN))

    assert "FAIL" == told["outcome"]
    assert {"PASS": 1, "FAIL": 1, "NOT_TRIED": 1} == told["counts"]
    assert "docs/firmware.md#4-selling" == told["rules"][0]["see"]
    assert [3] == told["rules"][0]["rests_on"]
    assert {"requestId": "r1", "column": "A1"}.items() <= told["moments"][2]["frame"][
        "vendRequest"
    ].items()


def test_what_a_machine_says_moves_no_terminal() -> None:
    """Whoever prints the JSON sees that something was there, and programs get what was said."""
    evil = "機器 \x1b[2J \x9b2J \u202e"
    told = as_json(replace(report(), firmware=evil), began=BEGAN)

    assert all(line.isprintable() for line in told.split("\n"))
    assert "機器" in told
    assert evil == json.loads(told)["firmware"]


def test_people_get_one_file_that_loads_nothing() -> None:
    """No script, no address, and what a machine says is text."""
    html = as_html(report(), began=BEGAN)

    assert "<script" not in html
    assert "<b>" not in html
    assert "&lt;b&gt;bold&lt;/b&gt; 1.0" in html
    assert [] == re.findall(r"(?:src|href)=|url\(|@import", html)
    assert 1 == html.count('<details id="numbers" open>')
    assert 1 == html.count('<details id="resend" open>')
    assert 1 == html.count('<details id="pay-first">')


def test_a_machine_that_broke_nothing_is_not_called_untried() -> None:
    """A customer reads the heading alone."""
    whole = report()
    told = as_html(replace(whole, findings=whole.findings[:2]), began=BEGAN)

    assert "<title>VM-0001: nothing broken, not all tried</title>" in told


def test_an_unknown_number_of_an_enum_is_shown() -> None:
    """Firmware of later says what nobody here knows."""
    tale = Tale().said(1, welcome=pb.Welcome())
    tale.moments[0].said_by_us.welcome.MergeFromString(bytes([0x40, 77]))
    examined = Examined(findings=(), moments=tuple(tale.moments), machine_id="", firmware="")
    assert (
        77 == json.loads(as_json(examined, began=BEGAN))["moments"][0]["frame"]["welcome"]["mode"]
    )


def test_what_could_not_be_read_is_shown() -> None:
    """With the reason, and without its bytes."""
    frame = service_pb.ConnectRequest(seq=3)
    tale = Tale().note(MomentKind.UNREAD, frame=frame, text="4000013 bytes came as one frame")

    assert "not to be read: 4000013 bytes came as one frame" == one_line(tale.moments[0])
