"""``vendgate simulate past``: settings and a size in, a database with a past out, and what was
found in it.
"""

import json
import os
from pathlib import Path
from typing import Annotated

import typer

from gateway.process.endings import sentences


def past(
    *,
    config_file: Annotated[
        Path, typer.Option("--config", exists=True, dir_okay=False, help="The gateway's settings.")
    ],
    state_dir: Annotated[Path, typer.Option(file_okay=False, help="Journals and shelves.")] = Path(
        "run/machines"
    ),
    alipay_dir: Annotated[
        Path, typer.Option(file_okay=False, help="Where the pretend Alipay's keys and book are.")
    ] = Path("run"),
    seed: Annotated[int, typer.Option(help="Who comes.")] = 1,
    weeks: Annotated[int, typer.Option(min=5, max=26, help="How many weeks.")] = 10,
    machines: Annotated[int, typer.Option(min=8, max=200, help="How many machines.")] = 24,
    json_ready: Annotated[
        bool, typer.Option("--json-ready", help="Print JSON: a line at once, one at the end.")
    ] = False,
) -> None:
    """Live a fleet's weeks until now, on virtual time, into a database that is not there yet."""
    with sentences():
        from gateway.past.running import live

        if json_ready:
            print(json.dumps({"pid": os.getpid()}), flush=True)
        told = live(config_file, state_dir, alipay_dir, seed=seed, weeks=weeks, machines=machines)
        print(json.dumps(told.as_json()) if json_ready else "\n".join(told.sentences), flush=True)
