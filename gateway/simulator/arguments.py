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


def log_to_stderr() -> None:
    """Keep stdout for the screen and the reports."""
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
