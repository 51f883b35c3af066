"""``python -m gateway`` is ``vendgate``."""

from gateway.cli import main

if __name__ == "__main__":
    main()
