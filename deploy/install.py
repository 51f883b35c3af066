"""Installs what a file of pinned packages names, and says in words how far it is.

``python deploy/install.py WHAT FILE``, run by the Python that is to have the packages. Flows in:
pip's own lines. Flows out: one line, renewed, on a terminal; else a line now and then. All that pip
said is shown if it fails, and its status is this program's.
"""

import queue
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TextIO

PIP = (
    sys.executable,
    "-m",
    "pip",
    "--disable-pip-version-check",
    "install",
    "--progress-bar",
    "off",
)
_PINNED = re.compile(r"^[A-Za-z0-9]\S*==", re.MULTILINE)
_FOUND = re.compile(r"(?:Collecting|Requirement already satisfied:) ([A-Za-z0-9_.-]+)")
_EVERY_S = 10.0
"""Between two lines where no terminal is."""
_TICK_S = 1.0


def steps(said: Iterator[str], pinned: int) -> Iterator[str]:
    """Yield a text for each step that pip's lines tell of, and the same again for an empty line:
    time passes. ``pinned`` are the packages of the file, of which this computer may not need all.
    """
    found, text = 0, "looking"
    for line in said:
        if (name := _FOUND.match(line)) is not None:
            found += 1
            text = f"fetching {found} of at most {pinned}: {name[1]}"
        elif line.startswith("Installing collected packages"):
            text = f"unpacking {line.count(',') + 1} packages, the longest part"
        elif line:
            continue
        yield text


def tell(what: str, texts: Iterator[str], out: TextIO) -> None:
    """Write the steps as they come."""
    began = said_at = time.monotonic()
    out.write(f"{what}{'' if out.isatty() else ' ...'}\n")
    for text in texts:
        now = time.monotonic()
        if out.isatty():
            out.write(f"\r\x1b[K  {now - began:.0f} s, {text}")
        elif now - said_at >= _EVERY_S:
            out.write(f"  {now - began:.0f} s, {text}\n")
            said_at = now
        out.flush()
    end = "\r\x1b[K" if out.isatty() else ""
    out.write(f"{end}  {time.monotonic() - began:.0f} s in all\n")


def main(what: str, pins: Path) -> int:
    """Install and return pip's status."""
    command = [*PIP, "--require-hashes", "-r", str(pins)]
    with subprocess.Popen(  # noqa: S603 - our own words
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as pip:
        assert pip.stdout is not None
        said: list[str] = []
        tell(
            what, steps(_kept(pip.stdout, said), len(_PINNED.findall(pins.read_text()))), sys.stdout
        )
    if pip.returncode:
        sys.stderr.write("".join(said))
    return pip.returncode


def _kept(lines: Iterable[str], said: list[str]) -> Iterator[str]:
    """Yield the lines as they come, and an empty one for each second without any."""
    waiting: queue.Queue[str | None] = queue.Queue()

    def read() -> None:
        for line in lines:
            waiting.put(line)
        waiting.put(None)

    threading.Thread(target=read, daemon=True).start()
    while True:
        try:
            line = waiting.get(timeout=_TICK_S)
        except queue.Empty:
            yield ""
            continue
        if line is None:
            return
        said.append(line)
        yield line


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], Path(sys.argv[2])))
