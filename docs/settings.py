"""Makes ``docs/settings.md`` from the settings' own classes: each setting with its default, what it
may be, its unit and its meaning. ``--check`` writes nothing and fails when the page is another.

Meanings are the fields' own docstrings, those of the limits that a field stands for, or, where
neither is there, ``setting_words.toml``. A setting without a meaning is refused, and so is a
meaning without its setting.
"""

import argparse
import ast
import inspect
import re
import sys
import tomllib
from collections.abc import Iterator, Mapping
from enum import Enum
from pathlib import Path
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from actors.machine.policy import BOUNDS, Policy
from alipay_client.config import AlipayConfig
from gateway.process.sections import Alipay, FleetPolicy, Http, Limits, ListenerSettings
from gateway.process.settings import PREFIX, Settings
from gateway.rpc.limits import EdgeLimits, NotifyLimits

HERE = Path(__file__).resolve().parent
PAGE = HERE / "settings.md"
WORDS = HERE / "setting_words.toml"
WIDTH = 180
UNITS = {
    "_ms": "milliseconds",
    "_s": "seconds",
    "_minor": "minor units",
    "_minor_max": "minor units",
    "_days": "days",
    "_mb": "MiB",
    "_bytes_max": "bytes",
    "_bytes_per_day": "bytes a day",
    "_per_s": "a second",
    "_per_minute": "a minute",
}
BESIDE: Mapping[type, list[type]] = {
    Limits: [EdgeLimits],
    Http: [NotifyLimits],
    Alipay: [AlipayConfig],
    FleetPolicy: [Policy],
}
"""Where the limits are told that a section stands for."""
HEAD = f"""# Settings

Made from `gateway/process/sections.py` and what it names, by `make docs-reference`.
Edit the sentences there.

One TOML file, named by `--config` or `VENDGATE_CONFIG`, and above it the environment:
`idle_refund_ms` of `[policy]` is `{PREFIX}POLICY__IDLE_REFUND_MS`.
`vendgate config check` prints all of them as they are, secrets hidden.
What belongs together, and why, is told in [operations.md](operations.md#settings).
A file is a path; a relative one starts at the folder of the TOML file.
"""


def page() -> str:
    """Return the whole page. SystemExit: a setting has no meaning, or a meaning no setting."""
    words = _Words(tomllib.loads(WORDS.read_text()))
    lines = [HEAD, "## Without a table", ""]
    tables: list[tuple[str, type[BaseModel]]] = []
    for name, found in Settings.model_fields.items():
        if (section := _section(found)) is not None:
            tables.append((name, section))
        else:
            lines += _entry("", name, found, _told(Settings, name) or words.of("", name))
    while tables:
        table, section = tables.pop(0)
        about = " ".join((section.__doc__ or "").split())
        lines += ["", f"## `[{table}]`", "", *_sentences(_typeset(about)), ""]
        inner = []
        for name, found in section.model_fields.items():
            if (below := _section(found)) is not None:
                inner.append((f"{table}.{name}", below))
                continue
            said = _told(section, name)
            if not said or (name in ListenerSettings.model_fields and words.has(table, name)):
                said = words.of(table, name)
            lines += _entry(table, name, found, said)
        tables = inner + tables
    if unused := words.unused():
        sys.exit(f"{WORDS.name} has meanings without a setting: {', '.join(unused)}")
    return "\n".join(lines).rstrip() + "\n"


class _Words:
    """What is said of settings beside the code, and what of it was used."""

    def __init__(self, said: Mapping[str, Any]) -> None:
        self._said = {
            (table, name): meaning
            for table, names in _flat("", said)
            for name, meaning in names.items()
        }
        self._used: set[tuple[str, str]] = set()

    def has(self, table: str, name: str) -> bool:
        return (table, name) in self._said

    def of(self, table: str, name: str) -> str:
        """Return the meaning, of all listeners where a table has none; SystemExit: there is
        none.
        """
        for place in ((table, name), ("listener", name)):
            if place in self._said:
                self._used.add(place)
                return self._said[place]
        sys.exit(f"the setting [{table}] {name} has no meaning: give its field a docstring")

    def unused(self) -> list[str]:
        return [".".join(place) for place in self._said if place not in self._used]


def _flat(table: str, said: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, str]]]:
    yield table, {name: value for name, value in said.items() if isinstance(value, str)}
    for name, value in said.items():
        if isinstance(value, dict):
            yield from _flat(f"{table}.{name}".removeprefix("."), value)


def _section(found: FieldInfo) -> type[BaseModel] | None:
    for one in (found.annotation, *get_args(found.annotation)):
        if isinstance(one, type) and issubclass(one, BaseModel):
            return one
    return None


def _told(section: type[BaseModel], name: str) -> str:
    """Return the docstring of a field, of the limit that it stands for, or nothing."""
    places: list[type] = [one for one in section.__mro__ if one.__module__.startswith("gateway")]
    places += BESIDE.get(section, [])
    for place in places:
        if name in (told := _docstrings(place)):
            return told[name]
    return ""


def _docstrings(place: type) -> dict[str, str]:
    try:
        (node,) = ast.parse(inspect.getsource(place)).body
    except (OSError, TypeError):
        return {}
    assert isinstance(node, ast.ClassDef)
    found = {}
    for field, behind in zip(node.body, node.body[1:], strict=False):
        match field, behind:
            case (
                ast.AnnAssign(target=ast.Name(id=name)),
                ast.Expr(value=ast.Constant(value=str(said))),
            ):
                found[name] = " ".join(said.split())
    return found


def _entry(table: str, name: str, found: FieldInfo, said: str) -> Iterator[str]:
    facts = [_default(found), *_may_be(table, name, found)]
    yield f"* `{name}`: {'; '.join(facts)}."
    yield from (f"  {line}" for line in _sentences(_typeset(said)))


def _default(found: FieldInfo) -> str:
    value = found.default
    if value is PydanticUndefined:
        return "must be set"
    if value is None or (isinstance(value, SecretStr) and not value.get_secret_value()):
        return "not set"
    if isinstance(value, SecretStr):
        value = value.get_secret_value()
    if isinstance(value, Path):
        value = str(value.relative_to(Path.cwd()))
    return f"`{_toml(value)}`"


def _toml(value: object) -> str:
    match value:
        case bool():
            return str(value).lower()
        case Enum():
            return _toml(value.value)
        case str():
            return f'"{value}"'
        case tuple() | frozenset() | list():
            return f"[{', '.join(_toml(one) for one in value)}]"
        case dict():
            return "{}"
        case int() | float():
            return f"{value:_}" if isinstance(value, int) and value >= 10_000 else f"{value}"
        case _:
            raise TypeError(value)


def _may_be(table: str, name: str, found: FieldInfo) -> Iterator[str]:
    choices = [*_choices(found.annotation)]
    if choices:
        yield f"one of {', '.join(f'`{one}`' for one in choices)}"
    if table == "policy":
        bounds = BOUNDS[name]
        many = f"up to {bounds.count_max} of " if bounds.count_max > 1 else ""
        yield f"{many}{bounds.least:_} to {bounds.most:_}"
        yield bounds.unit.value
        return
    least = [f"from {one.ge:_}" for one in found.metadata if hasattr(one, "ge")]
    least += [f"above {one.gt:_}" for one in found.metadata if hasattr(one, "gt")]
    most = [f"to {one.le:_}" for one in found.metadata if hasattr(one, "le")]
    if least or most:
        yield " ".join(least + most)
    for ending, unit in sorted(UNITS.items(), key=lambda one: -len(one[0])):
        if name.endswith(ending):
            yield unit
            return


def _choices(kind: object) -> Iterator[str]:
    if get_origin(kind) is Literal:
        yield from map(str, get_args(kind))
    elif isinstance(kind, type) and issubclass(kind, Enum):
        yield from (str(one.value) for one in kind)
    elif get_origin(kind) in {Union, UnionType, tuple}:
        for one in get_args(kind):
            yield from _choices(one)


def _typeset(said: str) -> str:
    """Return a docstring as Markdown."""
    return re.sub(r"(\[[a-z.]+\])(?!\()", r"`\1`", said.replace("``", "`"))


def _sentences(said: str) -> list[str]:
    """Return one line for each sentence; one that is long is broken behind a comma."""
    lines = re.split(r"(?<=[.!?]) (?=[A-Z`])", said)
    return [piece for line in lines for piece in _broken(line)]


def _broken(line: str) -> Iterator[str]:
    while len(line) > WIDTH:
        place = max(
            line.rfind(", ", 0, WIDTH), line.rfind("; ", 0, WIDTH), line.rfind(": ", 0, WIDTH)
        )
        assert place > 0, line
        yield line[: place + 1]
        line = line[place + 2 :]
    yield line


def main() -> None:
    """Write the page, or with ``--check`` compare it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail if it differs")
    made = page()
    if not parser.parse_args().check:
        PAGE.write_text(made)
    elif not PAGE.is_file() or PAGE.read_text() != made:
        sys.exit("docs/settings.md is not what the settings say; run 'make docs-reference'")


if __name__ == "__main__":
    main()
