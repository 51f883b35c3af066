"""The command line: arguments in, one of the program's parts started, and errors as sentences
(status 1, bad settings: 2, machines that another installation owns: 69, a gateway that lost what it
stands on: 75).
"""

import asyncio
import importlib
import importlib.util
import json
import os
from collections.abc import Coroutine
from dataclasses import asdict
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gateway.bench.command import bench
from gateway.books.commands import archive, audit, audit_log, backup, move
from gateway.books.host_commands import hosts, scale
from gateway.certify.command import certify
from gateway.insight.command import insight
from gateway.lake.command import lake
from gateway.office.asset_command import assets
from gateway.office.poster_command import poster
from gateway.past.command import past
from gateway.process import settings as settings_module
from gateway.process.endings import ConfigFile, sentences
from gateway.process.refusals import SettingsRefused
from gateway.process.signals import early_signals
from gateway.process.texts import help_of
from gateway.serving.drain_command import drain
from gateway.trust.commands import ca
from gateway.trust.token_command import trust
from gateway.web.command import console

if TYPE_CHECKING:
    from gateway.serving.wiring import Addresses

# The parts themselves are imported by the commands that start them: "vendgate --help" should not
# wait for Ray and gRPC.

app = typer.Typer(
    name="vendgate", no_args_is_help=True, pretty_exceptions_enable=False, add_completion=False
)
db = typer.Typer(no_args_is_help=True, help="The database.")
config = typer.Typer(no_args_is_help=True, help="The settings.")
simulate = typer.Typer(no_args_is_help=True, help="Pretend parts, for development and tests.")
app.add_typer(db, name="db")
app.add_typer(config, name="config")
app.add_typer(simulate, name="simulate")
app.add_typer(hosts, name="hosts")
app.add_typer(insight, name="insight")
app.add_typer(lake, name="lake")
app.add_typer(ca, name="ca")
app.add_typer(trust, name="trust")
app.add_typer(console, name="console")
app.add_typer(assets, name="assets")
for _one in (bench, audit, audit_log, backup, archive, scale, drain, poster, certify):
    app.command()(_one)
simulate.command()(past)

JsonReady = Annotated[
    bool, typer.Option("--json-ready", help="Print one JSON line when ready, for scripts.")
]
CaFile = Annotated[
    Path | None,
    typer.Option(exists=True, dir_okay=False, help="The CA of the gateway's certificate."),
]


def main() -> None:
    """Run the command line. What it writes is for its user alone: the database, its logs, keys."""
    os.umask(os.umask(0o077) | 0o077)
    app()


def _show_version(wanted: bool) -> None:
    if wanted:
        try:
            _say(f"vendgate {metadata.version('vendgate')}")
        except metadata.PackageNotFoundError:
            _say("vendgate, not installed as a package")
        raise typer.Exit


@app.callback()
def _vendgate(
    *,
    version: Annotated[  # noqa: ARG001 - its callback has answered
        bool,
        typer.Option(
            "--version", callback=_show_version, is_eager=True, help="Print the version and exit."
        ),
    ] = False,
    lifeline: Annotated[
        bool,
        typer.Option(
            "--lifeline", help="End when standard input ends: for a program that starts this one."
        ),
    ] = False,
) -> None:
    """Vendgate: the backend with which vending operators take Alipay."""
    if lifeline:
        from gateway.process.lifeline import hold

        hold()


@app.command()
def serve(
    *,
    config_file: ConfigFile = None,
    no_ray: Annotated[
        bool,
        typer.Option(
            "--no-ray", help="Keep machines in this process, whatever the settings say of Ray."
        ),
    ] = False,
    json_ready: JsonReady = False,
) -> None:
    """Run the gateway until SIGTERM, SIGHUP, SIGQUIT or Ctrl-C; a second one hurries it. Status 0:
    stopped in order; 1, 2: cannot start; 69: another installation owns the machines; 75: lost its
    Ray or its machines, to be started again.
    """
    with sentences(), early_signals() as early:
        from gateway.serving.greeting import welcome
        from gateway.serving.wiring import run_gateway

        loaded = settings_module.load(config_file)
        if loaded.ray.mode == "local" and not (no_ray or json_ready):
            _say("starting Ray and the gateway; the first time this takes half a minute ...")

        def ready(addresses: "Addresses") -> None:
            _say(json.dumps(asdict(addresses)) if json_ready else welcome(addresses, loaded.admin))

        path = settings_module.config_path(config_file)

        async def served() -> None:
            stop = asyncio.Event()
            early.follow(stop)
            await run_gateway(loaded, config_path=path, ray=not no_ray, ready=ready, stop=stop)

        if not early.asked:  # else nothing has begun yet, and nothing need
            _run(served())


@app.command()
def init(
    folder: Annotated[
        Path, typer.Argument(file_okay=False, help="The folder; it is made if there is none.")
    ],
    *,
    tls: Annotated[
        bool,
        typer.Option(
            "--tls/--plain",
            help="Everybody proves who they are, by certificates of a CA that is made too; "
            "or nobody does.",
        ),
    ] = True,
) -> None:
    """Make keys and a development configuration that points to the pretend Alipay."""
    with sentences():
        from gateway.process.development import make_installation
        from gateway.trust import installation

        made = installation.make(folder, now=datetime.now(UTC)) if tls else None
        path, new = made or make_installation(folder)
        _say(
            f"{'wrote' if new else 'kept'} {path}\n\n"
            f"next, each in a terminal of its own:\n"
            f"  vendgate simulate alipay --state-dir {folder}\n"
            f"  vendgate serve --config {path}"
            + (f"\n{installation.next_steps(folder)}" if installation.proves(folder) else "")
        )


@db.command()
def upgrade(*, config_file: ConfigFile = None) -> None:
    """Bring the database to this program's schema; make it if there is none."""
    with sentences():
        from gateway.books import database
        from gateway.process import configs

        loaded = settings_module.load(config_file)
        before, after = database.upgrade(configs.storage_config(loaded, writes=True))
        _say(
            f"the database has schema {after}"
            + ("" if before == after else f" (before: {before or 'none'})")
        )


db.command()(move)


@config.command()
def check(
    *,
    config_file: ConfigFile = None,
    connect: Annotated[
        bool, typer.Option("--connect", help="Ask the database, too, and what it promises.")
    ] = False,
) -> None:
    """Print every setting, secrets hidden, and what is wrong with them."""
    with sentences():
        from gateway.posters import looks
        from gateway.process import configs
        from gateway.process.clock import SystemClock

        loaded = settings_module.load(config_file)
        _say("\n".join(settings_module.shown(loaded)))
        made = configs.configs(loaded)
        wrong = [
            *configs.place_problems(loaded),
            *configs.certificate_problems(made, now_ms=SystemClock().now_ms()),
            *looks.problems(loaded.posters),
        ]
        if wrong:
            raise SettingsRefused(tuple(wrong))
        if connect:
            from gateway.books import database

            _say(database.check(made.storage, durable=loaded.database.durability == "full"))


@simulate.command()
def alipay(
    *,
    state_dir: Annotated[
        Path, typer.Option(file_okay=False, help="Keys and the book of pretend money.")
    ] = Path("run"),
    host: Annotated[str, typer.Option(help="Where to listen.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="0 lets the system choose.")] = 8_188,
    seed: Annotated[int, typer.Option(help="For faults that are switched on.")] = 0,
    quick: Annotated[
        bool, typer.Option("--quick", help="Deliver again after seconds, not minutes.")
    ] = False,
    json_ready: JsonReady = False,
) -> None:
    """Run a pretend Alipay: the same wire, signed, with a page on which to pay."""
    with sentences():
        from gateway.demo.pretend import pretend_alipay

        _log_to_stderr()

        def ready(url: str) -> None:
            human = (
                f"pretend Alipay at {url} (codes and a button to pay), its gateway at "
                f"{url}/gateway.do, keys in {state_dir}"
            )
            _say(json.dumps({"url": url, "pid": os.getpid()}) if json_ready else human)

        _run(pretend_alipay(state_dir, host=host, port=port, seed=seed, quick=quick, ready=ready))


@simulate.command()
def machines(
    *,
    gateway: Annotated[
        str, typer.Option(help="The gateway's address for machines.")
    ] = "127.0.0.1:7443",
    alipay_url: Annotated[
        str, typer.Option("--alipay", help="The pretend Alipay, where customers pay.")
    ] = "http://127.0.0.1:8188",
    machine: Annotated[
        list[str] | None, typer.Option("--machine", help="A registered machine; may be repeated.")
    ] = None,
    count: Annotated[
        int, typer.Option(min=1, max=10_000, help="Without --machine: VM-0001 and so on.")
    ] = 3,
    seed: Annotated[int, typer.Option(help="Who comes, and what goes wrong.")] = 1,
    state_dir: Annotated[Path, typer.Option(file_okay=False, help="Journals and shelves.")] = Path(
        "run/machines"
    ),
    pace: Annotated[
        float, typer.Option(min=0.01, help="Seconds between two customers of a machine.")
    ] = 5.0,
    ca: CaFile = None,
    cert: Annotated[
        Path | None, typer.Option(help="The machine's certificate; may hold {machine_id}.")
    ] = None,
    key: Annotated[
        Path | None, typer.Option(help="Its private key; may hold {machine_id}.")
    ] = None,
    enrol: Annotated[
        str, typer.Option(metavar="ADDRESS", help="Where it gets its certificates by itself.")
    ] = "",
    token_file: Annotated[
        Path | None, typer.Option(help="Its token for that; may hold {machine_id}.")
    ] = None,
    screen_port: Annotated[
        int | None,
        typer.Option(min=1, max=65_535, help="Serve the page of the first machine's screen there."),
    ] = None,
    json_ready: JsonReady = False,
) -> None:
    """Run pretend machines with customers in front of them. SIGUSR1: no new customers."""
    with sentences():
        from gateway.simulator.fleet import FleetConfig, run_fleet

        _log_to_stderr()
        names = tuple(machine or (f"VM-{number:04}" for number in range(1, count + 1)))
        fleet = FleetConfig(
            gateway=gateway,
            alipay_url=alipay_url,
            machine_ids=names,
            seed=seed,
            state_dir=state_dir,
            pace=pace,
            ca=ca,
            cert=cert,
            key=key,
            enrol=enrol,
            token_file=token_file,
            screen_port=screen_port,
        )

        async def run() -> None:
            running = asyncio.create_task(run_fleet(fleet))
            await asyncio.sleep(0)  # now it listens to signals
            told = {"pid": os.getpid(), "machines": names}
            _say(
                json.dumps(told)
                if json_ready
                else f"{len(names)} machines call {gateway}, journals in {state_dir}"
            )
            await running

        _run(run())


@app.command()
def reconcile(
    file: Annotated[
        Path,
        typer.Argument(help="Alipay's transaction file of a day, PID_transaction_YYYYMMDD.txt."),
    ],
    *,
    config_file: ConfigFile = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    restored: Annotated[
        bool,
        typer.Option(
            "--restored",
            help="The day is one that a restore of the database lost sales of: payments that are "
            "unknown to us stay open and are not returned.",
        ),
    ] = False,
) -> None:
    """Compare Alipay's daily file with our ledger. Status 0: nothing is open; 1: differences are;
    2: it could not be done.
    """
    with sentences(trouble=2):
        from gateway.alipay.reconciliation.command import command

        raise typer.Exit(
            command(settings_module.load(config_file), file, as_json=as_json, restored=restored)
        )


@app.command()
def demo(
    *,
    sales: Annotated[
        int, typer.Option(min=0, help="Stop after so many sales; 0: go on until Ctrl-C.")
    ] = 0,
    seed: Annotated[int, typer.Option(help="Who comes, and what goes wrong.")] = 1,
    as_json: Annotated[
        bool, typer.Option("--json", help="No screen; print one JSON object at the end.")
    ] = False,
    no_ray: Annotated[
        bool, typer.Option("--no-ray", help="Keep machines in the gateway's own process.")
    ] = False,
    machines: Annotated[
        int | None, typer.Option(min=1, max=200, help="How many machines: 12, or 24 with a past.")
    ] = None,
    with_past: Annotated[
        bool,
        typer.Option(
            "--past",
            help="Live some weeks on virtual time first: a price is tried, a district turns hot.",
        ),
    ] = False,
    weeks: Annotated[int, typer.Option(min=5, max=26, help="With --past: how many weeks.")] = 10,
    tls: Annotated[
        bool, typer.Option("--tls/--plain", help="Everybody proves who they are; or nobody does.")
    ] = True,
    keep: Annotated[
        Path | None, typer.Option(file_okay=False, help="A folder in which everything is left.")
    ] = None,
) -> None:
    """Run the whole system on this computer and hold both books against each other at its end."""
    with sentences():
        from gateway.demo.command import demo as play

        raise typer.Exit(
            play(
                sales=sales,
                seed=seed,
                as_json=as_json,
                ray=not no_ray,
                machines=machines or (24 if with_past else 12),
                keep=keep,
                tls=tls,
                weeks=weeks if with_past else 0,
            )
        )


@app.command()
def cluster(
    *,
    machines: Annotated[int, typer.Option(min=1, max=2_000, help="How many machines.")] = 200,
    seed: Annotated[int, typer.Option(help="Who comes, and what goes wrong.")] = 1,
    pace: Annotated[
        float, typer.Option(min=0.1, help="Seconds between two customers of a machine.")
    ] = 20.0,
    chaos_s: Annotated[
        int,
        typer.Option(
            "--chaos",
            min=0,
            metavar="SECONDS",
            help="Kill, freeze and cut off parts for about so long, measure how soon each is back, "
            "and prove the books; then end. Status 1: something is wrong.",
        ),
    ] = 0,
    keep: Annotated[
        Path | None,
        typer.Option(file_okay=False, help="An empty or new folder in which everything is left."),
    ] = None,
) -> None:
    """Run the topology of production on this computer: PostgreSQL, a Ray cluster, two gateways
    behind a balancer, a pretend Alipay and machines with customers. Ctrl-C ends it.
    """
    with sentences():
        from gateway.demo.cluster.command import cluster as play

        raise typer.Exit(play(machines=machines, seed=seed, pace=pace, chaos_s=chaos_s, keep=keep))


@app.command()
def qr(
    machine: Annotated[str, typer.Argument(help="The machine's id.")],
    *,
    admin: Annotated[
        str, typer.Option(help="The gateway's address for administrators.")
    ] = "127.0.0.1:7444",
    ca: CaFile = None,
    cert: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="Your certificate.")
    ] = None,
    key: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="Its private key.")
    ] = None,
) -> None:
    """Draw a machine's QR code into the terminal."""
    with sentences():
        from gateway.demo import qr as drawing

        _say(drawing.qr(machine, drawing.Door(address=admin, ca=ca, cert=cert, key=key)))


def _log_to_stderr() -> None:
    """Keep standard output for the line "ready": who reads no more of it must not hold us up."""
    from gateway.process import logs

    logs.set_up(level="info", line_format="console")


def _say(text: str) -> None:
    print(text, flush=True)


def _run(work: Coroutine[Any, Any, None]) -> None:
    """Run on uvloop if it is installed (the "speed" extra)."""
    factory = (
        importlib.import_module("uvloop").new_event_loop
        if importlib.util.find_spec("uvloop")
        else None
    )
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(work)


for _command in (
    one
    for part in (app, assets, db, config, simulate, hosts, lake, ca, trust, console)
    for one in part.registered_commands
):
    _command.help, _command.short_help = help_of(_command.callback)
