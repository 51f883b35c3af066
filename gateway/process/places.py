"""Places that a program is to make or write: why it cannot, as a sentence.

Flows in: paths. Flows out: what is in the way, and what to do.
"""

import os
import stat
from pathlib import Path

from gateway.process.addresses import SOCKET_PATH_MAX
from storage.database import urls


def why_no_folder(wanted: Path) -> str:
    """Return why this user can neither write in this folder nor make it; empty if they can."""
    try:
        there = next(one for one in (wanted, *wanted.parents) if one.exists())
    except OSError as error:
        return f"{wanted} cannot be reached by this user ({error.strerror}); name another"
    if not there.is_dir():
        return f"{there} is no folder; name one, which the gateway may make"
    if urls.is_of_the_kernel(there):
        return f"{there} keeps no files; name another place"
    if not os.access(there, os.W_OK | os.X_OK):
        return f"{there} cannot be written by this user; chown it, or name another"
    return ""


def why_no_log(file: Path) -> str:
    """Return why this user cannot write this file; empty if they can."""
    try:
        if file.is_dir():
            return f"{file} is a folder; name a file in it"
        if not file.parent.is_dir():
            return f"{file.parent} is no folder; make it, or name another"
        if file.exists() and not urls.is_of_the_kernel(file):
            allowed = os.access(file, os.W_OK)
            return "" if allowed else f"{file} cannot be written by this user; chown it"
    except OSError as error:
        return f"{file} cannot be reached by this user ({error.strerror}); name another"
    return why_no_folder(file.parent)


def why_no_socket(path: Path) -> str:
    """Return why no socket can be made here; empty if one can, or is there already."""
    if len(os.fsencode(path)) > SOCKET_PATH_MAX:
        return f"{path} has more than {SOCKET_PATH_MAX} bytes; name a shorter path"
    try:
        if not path.parent.is_dir():
            return f"{path.parent} is no folder; make it, or name another"
        if not stat.S_ISSOCK(path.lstat().st_mode):
            return f"{path} is something else; name another path"
    except FileNotFoundError:
        pass
    except OSError as error:
        return f"{path} cannot be reached by this user ({error.strerror}); name another"
    return why_no_folder(path.parent)
