"""``vendgate certify``: options in, one line for each rule, a report in two files, and a status
that says pass or fail. The parts are imported by the command: "vendgate --help" should not wait
for gRPC.
"""

import asyncio
import contextlib
import datetime as dt
import secrets
import shlex
import shutil
import ssl
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.process.endings import sentences
from gateway.process.refusals import SettingsRefused
from gateway.process.texts import plain

if TYPE_CHECKING:
    from gateway.certify.examination import Examined, Judged
    from gateway.certify.hands import Hands
    from gateway.certify.rule import Rule
    from gateway.rpc.tls import Tls

REFERENCE = "VM-0001"
PRICE_MAX = 10**12
COLUMN_BYTES = 16
PORT_MAX = 65_535


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What the options say."""

    listen: str
    columns: tuple[str, ...]
    price_minor: int
    hand: str
    power_cut: str
    reference: bool
    report: Path
    motor_s: int
    tls: "Tls | None"


def certify(
    *,
    listen: Annotated[
        str, typer.Option(metavar="HOST:PORT", help="Where the machine calls.")
    ] = "127.0.0.1:7443",
    only: Annotated[
        list[str] | None,
        typer.Option("--only", metavar="RULE", help="This rule; may be repeated."),
    ] = None,
    list_rules: Annotated[bool, typer.Option("--list", help="List the rules and end.")] = False,
    column: Annotated[
        list[str] | None,
        typer.Option("--column", help="A column with goods; may be repeated. Else A1."),
    ] = None,
    price: Annotated[
        int, typer.Option(min=1, max=PRICE_MAX, help="What they cost, in minor units.")
    ] = 500,
    hand: Annotated[
        str,
        typer.Option(
            metavar="PROGRAM",
            help="Works the machine: PROGRAM select A1 (cancel, power-cut, erase, turns). "
            "Without it you are asked, if there is a terminal.",
        ),
    ] = "",
    power_cut: Annotated[
        str,
        typer.Option(metavar="PROGRAM", help="Cuts the power and gives it back, as a relay does."),
    ] = "",
    reference: Annotated[
        bool, typer.Option("--reference", help="Examine the reference machine, in this process.")
    ] = False,
    report: Annotated[
        Path, typer.Option(help="The report's files: this name with .html and .json.")
    ] = Path("certify"),
    motor_s: Annotated[
        int, typer.Option(min=1, max=120, help="A motor has turned and is at rest in so long.")
    ] = 15,
    ca: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="The CA of machines.")
    ] = None,
    cert: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="The examiner's certificate.")
    ] = None,
    key: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="Its private key.")
    ] = None,
) -> None:
    """Examine a machine over the real protocol, rule by rule of docs/firmware.md, and write a
    report. Needs no database and no Alipay. Status 0: all rules are kept; 1: some are broken; 2: it
    could not be done; 3: none is broken, and not all were tried.
    """
    with sentences(trouble=2):
        from gateway.certify.rules import RULES, chosen_rules

        if list_rules:
            for rule in RULES:
                print(f"{rule.name:<26}{rule.says}  docs/firmware.md#{rule.anchor}")
            return
        try:
            rules = chosen_rules(only or ())
        except ValueError as unknown:
            raise SettingsRefused((str(unknown),)) from None
        asked = Asked(
            listen="127.0.0.1:0" if reference else listen,
            columns=tuple(column or ("A1",)),
            price_minor=price,
            hand=hand,
            power_cut=power_cut,
            reference=reference,
            report=report,
            motor_s=motor_s,
            tls=_tls(ca=ca, cert=cert, key=key),
        )
        if problems := tuple(_problems(asked)):
            raise SettingsRefused(problems)
        _make_room(asked.report)
        raise typer.Exit(asyncio.run(_certify(asked, rules)))


def _problems(asked: Asked) -> Iterator[str]:
    """Yield a sentence for each option that cannot be used: before the machine is asked for
    anything.
    """
    host, _, port = asked.listen.rpartition(":")
    if not host or not port.isascii() or not port.isdigit() or int(port) > PORT_MAX:
        yield f"--listen {asked.listen}: HOST:PORT is wanted, for example 0.0.0.0:7443."
    for name in asked.columns:
        if not 0 < len(name.encode()) <= COLUMN_BYTES:
            yield f'--column "{name}": a name of 1 to {COLUMN_BYTES} bytes is wanted, as in A1.'
    for option, program in (("--hand", asked.hand), ("--power-cut", asked.power_cut)):
        try:
            words = shlex.split(program)
        except ValueError as error:
            yield f"{option} {program}: it cannot be read as a command ({error})."
            continue
        if words and shutil.which(words[0]) is None:
            yield f"{option} {program}: there is no program {words[0]} that can be run."
    if not asked.report.name:
        yield f"--report {asked.report}: the name of a file is wanted; .html and .json are added."


def _files(report: Path) -> tuple[Path, Path]:
    return report.with_name(f"{report.name}.html"), report.with_name(f"{report.name}.json")


def _make_room(report: Path) -> None:
    """See that the report can be written, before minutes are spent on it. Raises OSError."""
    report.parent.mkdir(parents=True, exist_ok=True)
    for path in _files(report):
        with path.open("a"):
            pass


def _tls(*, ca: Path | None, cert: Path | None, key: Path | None) -> "Tls | None":
    from gateway.rpc.tls import Tls

    if cert is None and key is None and ca is None:
        return None
    if cert is None or key is None:
        raise SettingsRefused(
            ("TLS needs --cert and --key of the examiner, and --ca if machines show certificates.",)
        )
    wanted = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        wanted.load_cert_chain(cert, key, password="")
        if ca is not None:
            wanted.load_verify_locations(ca)
    except (ssl.SSLError, ValueError):
        raise SettingsRefused(
            ("--cert, --key and --ca: PEM files, and the certificate's key without a password.",)
        ) from None
    return Tls(
        certificate=cert.read_bytes(),
        private_key=key.read_bytes(),
        client_ca=ca.read_bytes() if ca is not None else b"",
    )


async def _certify(asked: Asked, rules: "tuple[Rule, ...]") -> int:
    from gateway.certify.desk import Desk, ExamTerms
    from gateway.certify.examination import Judged, conclude, examine
    from gateway.certify.hands import NoHands
    from gateway.certify.server import listening

    desk = Desk(
        terms=ExamTerms(
            mark=f"x{secrets.token_hex(4)}",
            columns=asked.columns,
            price_minor=asked.price_minor,
            result_ms=asked.motor_s * 1_000,
        ),
        hands=NoHands(),
        now_ms=lambda: time.monotonic_ns() // 1_000_000,
    )
    began = dt.datetime.now(dt.UTC)
    async with listening(desk, asked.listen, asked.tls) as port:
        host = asked.listen.rpartition(":")[0]
        print(f"listening on {host}:{port}; {len(rules)} rules", flush=True)
        async with _hands(asked, port) as desk.hands:
            findings: list[Judged] = []

            def found(finding: Judged) -> None:
                findings.append(finding)
                _say(finding)

            try:
                examined = await examine(desk, rules, found)
            except asyncio.CancelledError:  # somebody ends it: what was found so far is kept
                why = "the examination was ended before"
                _write(asked.report, conclude(desk, rules, findings, why), began)
                raise
    _write(asked.report, examined, began)
    return examined.status


@contextlib.asynccontextmanager
async def _hands(asked: Asked, port: int) -> "AsyncIterator[Hands]":
    """Return who works the machine; with ``reference`` the machine lives meanwhile."""
    from gateway.certify.hands import AskedHands, ProgramHands

    if asked.reference:
        async with _reference(port) as hands:
            yield hands
    elif asked.hand or not sys.stdin.isatty():
        yield ProgramHands(asked.hand, power_cut=asked.power_cut)
    else:
        yield AskedHands(print, sys.stdin.readline, power_cut=asked.power_cut)


@contextlib.asynccontextmanager
async def _reference(port: int) -> "AsyncIterator[Hands]":
    from gateway.certify.reference import ReferenceHands
    from gateway.process import logs
    from gateway.simulator.machine import Identity
    from gateway.simulator.machine_client import ClientConfig, MachineClient

    logs.set_up(level="error", line_format="console")
    with tempfile.TemporaryDirectory(prefix="vendgate-certify-") as folder:
        config = ClientConfig(
            gateway=f"127.0.0.1:{port}",
            identity=Identity(machine_id=REFERENCE),
            state_dir=Path(folder),
            motor_ms=1_500,
        )
        client = MachineClient(config, rng=Random())  # noqa: S311  jitter is no secret
        life = asyncio.create_task(client.run())
        try:
            yield ReferenceHands(client, config.state_dir / REFERENCE / "journal.log")
        finally:
            client.stop()
            await life


def _say(finding: "Judged") -> None:
    from gateway.certify.report import WORDS

    verdict = finding.verdict  # may hold what the machine said
    print(f"{WORDS[verdict.outcome]:<10}{finding.rule.name:<26}{plain(verdict.why)}", flush=True)


def _write(report: Path, examined: "Examined", began: dt.datetime) -> None:
    from gateway.certify.moments import RuleOutcome
    from gateway.certify.report import WORDS, as_html, as_json, strangers

    html, for_programs = _files(report)
    html.write_text(as_html(examined, began=began), encoding="utf-8")
    for_programs.write_text(as_json(examined, began=began) + "\n", encoding="utf-8")
    counts = ", ".join(f"{examined.count(each)} {WORDS[each]}" for each in RuleOutcome)
    for stranger in strangers(examined):
        print(f"{stranger} called, too, and was turned away: one machine at a time", flush=True)
    print(
        f"{plain(examined.machine_id) or 'no machine'}: {counts}; the report is {html}", flush=True
    )
