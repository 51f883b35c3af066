"""The home of hosts that live and die with one program: a name of the place that only one such
program can have at a time.

Flows in: what proves that nobody else is in that place. Flows out: a name that the next program
there has again, so that it need not wait until its predecessor's lease has run out.

On SQLite it is the file itself, whose lock the program holds. Else it is the address that it has
bound for notifications: the kernel gives it to one program at a time, and takes it back however
that one ends. Another computer, container or start of the computer is another place.
"""

import hashlib
import platform
import secrets
from pathlib import Path

from gateway.process.sections import Address

FILE = "file"
_BOOT = Path("/proc/sys/kernel/random/boot_id")
_NETWORK = Path("/proc/self/ns/net")


def home_of(bound: Address, *, boot: Path = _BOOT, network: Path = _NETWORK) -> str:
    """Return the name of the place whose ``bound`` address this program holds. Where the kernel
    does not tell one start of a computer from the next, every start is a place of its own.
    """
    try:
        place = f"{boot.read_text()} {network.stat().st_ino} {bound}"
    except OSError:
        place = secrets.token_hex(16)
    digest = hashlib.sha256(place.encode()).hexdigest()[:8]
    return f"{platform.node()[:96]}-{bound.port}-{digest}"
