"""``vendgate``, and ``python -m gateway``: the command line, loaded in such a way that Ctrl-C in
the meantime ends it like any other signal, without a word.
"""

import signal


def main() -> None:
    """Entry point."""
    told = signal.getsignal(signal.SIGINT)
    if told is signal.default_int_handler:  # not where it is ignored, as in the background
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from gateway import cli

    signal.signal(signal.SIGINT, told)
    cli.main()


if __name__ == "__main__":
    main()
