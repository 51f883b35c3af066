"""Walks a page of the documents: what it tells people to type is typed, in its order, and what it
says that they will see is looked for.

A comment of HTML right before a block says how it is meant, and one by itself what a person does
between two blocks. Readers do not see them. Without a comment a block of ``sh`` is typed into a
shell and must end with status 0::

    <!-- walk: in NAME until TEXT -->     the block is typed into a program that runs in a terminal
    <!-- walk: leave NAME until TEXT -->  it is left running in a terminal of that name
    <!-- walk: file PATH -->              it is written into a file
    <!-- walk: shows TEXT -->             what it prints holds the text
    <!-- walk: status 1 -->               it ends with this status
    <!-- walk: not typed, REASON -->      nobody types it here
    <!-- walk: end NAME -->               the terminal's program is ended
    <!-- walk: pay 8.50 HKD -->           the machine that asks for so much is paid, on the phone
    <!-- walk: pay 7.00 HKD at TEXT -->   the machine whose card says so is paid
    <!-- walk: until NAME TEXT -->        the terminal's program prints the text
    <!-- walk: picture NAME of PATH -->   a page of the phone, or a file, for ``PICTURES_VARIABLE``

Several of a block stand in one line each.
"""

import os
import re
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from PIL import Image

from tests.e2e.desk import Desk, Terminal
from tests.support.browser import CHROMIUM, browser

PICTURES_VARIABLE = "VENDGATE_TEST_PICTURES"
"""A folder in which the pages' pictures are made anew: docs/pictures."""
PHONE = (360, 640)

_STEP = re.compile(
    r"^[ ]*<!-- walk: (?P<said>.+?) -->$|^(?P<space>[ ]*)```(?P<kind>\w*)\n(?P<block>.*?)^[ ]*```$",
    re.MULTILINE | re.DOTALL,
)
KNOWN = {
    "end": r"\S+",
    "file": r"\S+",
    "in": r"\S+ until .+",
    "leave": r"\S+ until .+",
    "not typed,": r".{8,}",
    "pay": r"[0-9.]+ [A-Z]{3}( at .+)?",
    "picture": r"[a-z-]+ of \S+",
    "shows": r".+",
    "status": r"[0-9]+",
    "until": r"\S+ .+",
}
OF_BLOCKS = ("file", "in", "leave", "not typed,", "shows", "status")
"""What says how the next block is meant."""


@dataclass(frozen=True, slots=True)
class Step:
    """A block with what was said of it, or what is done between two blocks (``block`` is empty)."""

    kind: str
    block: str
    said: tuple[tuple[str, str], ...]

    @property
    def typed(self) -> bool:
        """Whether anybody types it, or does something."""
        return not any(key == "not typed," for key, _ in self.said)


def steps(text: str) -> list[Step]:
    """Return what is done on a page, in its order. ValueError: a comment means nothing."""
    found: list[Step] = []
    waiting: list[tuple[str, str]] = []
    for match in _STEP.finditer(text):
        if match["said"] is not None:
            key, value = _directive(match["said"])
            if key in OF_BLOCKS:
                waiting.append((key, value))
            elif waiting:
                raise ValueError(f"{waiting} belongs to no block")
            else:
                found.append(Step("", "", ((key, value),)))
            continue
        if match["kind"] == "sh" or waiting:
            block = "".join(
                line.removeprefix(match["space"]) for line in match["block"].splitlines(True)
            )
            found.append(Step(match["kind"], block, tuple(waiting)))
        waiting = []
    if waiting:
        raise ValueError(f"{waiting} belongs to no block")
    return found


def _directive(said: str) -> tuple[str, str]:
    for key, form in KNOWN.items():
        if said.startswith(f"{key} ") and re.fullmatch(form, value := said[len(key) + 1 :]):
            return key, value
    raise ValueError(f"walk: {said!r} means nothing; {Path(__file__).name} tells what does")


class Walk:
    """One person who walks pages at a desk. What they leave running ends with the walk."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self._terminals: dict[str, Terminal] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        for name in reversed([*self._terminals]):
            await self._terminals.pop(name).end()

    async def through(self, text: str) -> None:
        """Do all that stands on a page, or on a part of one."""
        for step in steps(text):
            if step.typed:
                await self._do(step)

    async def _do(self, step: Step) -> None:
        said = dict(step.said)
        if "file" in said:
            path = self.desk.folder / said["file"]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(self.desk.on_our_ports(step.block))
        elif "leave" in said:
            name, _, text = said["leave"].partition(" until ")
            self._terminals[name] = await self.desk.open(step.block.strip())
            await self._terminals[name].until(text)
        elif "in" in said:
            name, _, text = said["in"].partition(" until ")
            for line in step.block.splitlines():
                await self._terminals[name].type(line)
            await self._terminals[name].until(text)
        elif step.block:
            told = await self.desk.type(step.block, status=int(said.get("status", "0")))
            shown = _alike(told)
            for wanted in (value for key, value in step.said if key == "shows"):
                assert _alike(wanted) in shown, f"{step.block}\nprinted\n{told}\nand not {wanted}"
            self._prepare()
        else:
            await self._between(*step.said[0])

    async def _between(self, key: str, value: str) -> None:
        match key:
            case "end":
                await self._terminals.pop(value).end()
            case "pay":
                amount, _, at = value.partition(" at ")
                if not at:
                    await self.desk.until_the_phone_asks(amount)
                await self.desk.press_pay(amount, at=at)
            case "until":
                name, _, text = value.partition(" ")
                await self._terminals[name].until(text)
            case "picture":
                await self._picture(*value.split(" of "))

    def _prepare(self) -> None:
        """Give settings that a page had written this desk's ports."""
        for path in self.desk.folder.glob("*/vendgate.toml"):
            path.write_text(self.desk.on_our_ports(path.read_text()))

    async def _picture(self, name: str, path: str) -> None:
        folder = os.environ.get(PICTURES_VARIABLE)
        if not folder:
            return
        if not path.startswith("/"):
            picture = Image.open(self.desk.folder / path)
            picture.thumbnail(PHONE)
            picture.convert("P").save(Path(folder) / f"{name}.png", optimize=True)
            return
        assert CHROMIUM is not None
        async with AsyncExitStack() as stack:
            running = await stack.enter_async_context(browser())
            width, height = PHONE
            page = await running.new_page(viewport={"width": width, "height": height})
            await page.goto(f"{self.desk.page}{path}")
            await page.screenshot(path=Path(folder) / f"{name}.png", animations="disabled")


def _alike(text: str) -> str:
    """The text without the differences between grpcurl and buf curl."""
    return re.sub(r"\s+", " ", text.replace("_", "").lower())


def untyped(found: Sequence[Step]) -> list[str]:
    """The reasons of the blocks that nobody types."""
    return [value for step in found for key, value in step.said if key == "not typed,"]
