"""What pages tell people to type: the shell blocks of a page, and surroundings in which they find
what they call.
"""

import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
STAND_IN = Path(__file__).with_name("grpcurl_stand_in.py")
BLOCK = re.compile(r"^```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)


def environment(tools: Path, settings: Mapping[str, str]) -> dict[str, str]:
    """An environment in which grpcurl, buf and vendgate are found; the stand-in comes last."""
    tools.mkdir(exist_ok=True)
    grpcurl = tools / "grpcurl"
    grpcurl.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{STAND_IN}" "$@"\n')
    grpcurl.chmod(0o755)
    places = [
        str(ROOT / ".tools"),
        str(Path(sys.executable).parent),
        os.environ["PATH"],
        str(tools),
    ]
    return {**os.environ, "PATH": os.pathsep.join(places), **settings}


def flat(text: str) -> str:
    """The text without the difference between grpcurl (snake_case) and buf curl (camelCase)."""
    return text.replace("_", "").lower()
