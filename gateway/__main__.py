"""``vendgate``, and ``python -m gateway``: the command line, loaded in such a way that Ctrl-C in
the meantime ends it like any other signal, without a word.
"""

import atexit
import os
import signal
import sys
from contextlib import suppress

from actors import collector


def main() -> None:
    """Entry point."""
    collector.loading()
    told = signal.getsignal(signal.SIGINT)
    if told is signal.default_int_handler:  # not where it is ignored, as in the background
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from gateway.rpc.options import QUIET

    os.environ.setdefault(QUIET, "ERROR")  # gRPC reads it when it is loaded
    from gateway import cli

    signal.signal(signal.SIGINT, told)
    try:
        cli.main()
    except SystemExit as end:
        if _a_lost_ray_is_left():
            _end_at_once(end.code)
        raise


def _a_lost_ray_is_left() -> bool:
    ray_node = sys.modules.get("actors.ray_node")
    return ray_node is not None and ray_node.is_left()


def _end_at_once(status: object) -> None:
    """End with what was to be told told, and nothing cleared up that Ray's threads may use."""
    atexit._run_exitfuncs()  # noqa: SLF001 - os._exit runs none, and logs have one
    with suppress(OSError):  # nobody reads it any more
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(status if isinstance(status, int) else 1)


if __name__ == "__main__":
    main()
