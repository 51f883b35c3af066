"""What the command lines of one machine and of a fleet have in common."""

import argparse
import sys
from pathlib import Path

import structlog


def machine_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options that one machine and a fleet have in common."""
    parser.add_argument(
        "--gateway", default="127.0.0.1:7443", help="host:port of the gateway's machine side"
    )
    parser.add_argument(
        "--state-dir",
        type=Path,
        required=True,
        help="folder for journals and shelves, one below it for each machine",
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--ca",
        type=Path,
        help="PEM file with which the gateway is verified; without it the connection is plaintext",
    )
    parser.add_argument(
        "--cert", help="PEM file of the machine's certificate; {machine_id} is replaced"
    )
    parser.add_argument(
        "--key", help="PEM file of the machine's private key; {machine_id} is replaced"
    )
    parser.add_argument(
        "--enrol",
        default="",
        help="host:port where the machine gets its first certificate, instead of --cert and --key",
    )
    parser.add_argument(
        "--token-file", help="file with the token for that; {machine_id} is replaced"
    )


def token_of(machine_id: str, path: str | Path | None) -> str:
    """Read the token of a machine from its file, in whose path ``{machine_id}`` is replaced; empty
    without a file: a machine that was enrolled needs none.
    """
    if not path:
        return ""
    try:
        return Path(str(path).replace("{machine_id}", machine_id)).read_text().strip()
    except FileNotFoundError:
        return ""


def log_to_stderr() -> None:
    """Keep stdout for the screen and the reports."""
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
