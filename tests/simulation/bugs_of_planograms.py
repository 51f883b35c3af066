"""Bugs about applied planograms; ``planted`` tells in a sentence what each of them means."""

import itertools
from dataclasses import replace
from typing import Any
from unittest.mock import patch

from gateway.office.application_lines import ApplicationLines
from storage.office.templates import read


def lines_are_named_anew() -> Any:
    """A line that is carried out again is another act."""
    carry_out, numbers = ApplicationLines.carry_out, itertools.count()

    async def bug(self: ApplicationLines, line: Any, of: Any) -> Any:
        told = await carry_out(self, replace(line, line=10_000 + next(numbers)), of)
        return replace(told, line=line.line)

    return patch.object(ApplicationLines, "carry_out", bug)


def template_is_read_again() -> Any:
    """A line gets the template as it is by the time that it is carried out."""
    carry_out = ApplicationLines.carry_out

    async def bug(self: ApplicationLines, line: Any, of: Any) -> Any:
        now = await self.templates.get(read(of.about).template)
        return await carry_out(self, line, replace(of, about=now.kept()))

    return patch.object(ApplicationLines, "carry_out", bug)
