"""Where the demo draws, and who may stop reading it.

Flows in: what is to be drawn. Flows out: the drawing, until nobody reads it any more; then nothing,
and ``unread`` says so.
"""

import os
from typing import Any

from rich.console import Console


class Terminal(Console):
    """A console whose reader may go away, as ``head`` does: rich would end the program at once,
    wherever it is, with all that is open.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.unread = False

    def on_broken_pipe(self) -> None:
        """Say nothing more; what the file still has to write is lost, not an error at the end."""
        self.quiet = self.unread = True
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self.file.fileno())
        os.close(nowhere)
