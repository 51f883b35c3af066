"""The files of the house, and lists of exceptions from its rules.

A list may only shrink: who breaks a rule mends the code, and a line that is no longer needed must
go.
"""

import ast
import functools
import subprocess
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("gateway", "storage", "actors", "alipay_client")


@functools.cache
def tracked(suffix: str) -> list[Path]:
    """Every file of the project with this ending, generated code left out."""
    everything = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    paths = (ROOT / line for line in everything.stdout.decode().splitlines())
    return sorted(
        path
        for path in paths
        if path.suffix == suffix and "/v1/" not in str(path) and path.is_file()
    )


def name_of(path: Path) -> str:
    """The file's path within the project."""
    return path.relative_to(ROOT).as_posix()


@functools.cache
def parsed(path: Path) -> ast.Module:
    """The file's syntax tree, which nobody changes."""
    return ast.parse(path.read_text())


@functools.cache
def statements(path: Path) -> tuple[ast.stmt, ...]:
    """Every statement of the file, however deep: a tenth of its nodes."""
    found: list[ast.stmt] = []
    left: list[ast.AST] = [*parsed(path).body]
    while left:
        node = left.pop()
        if isinstance(node, ast.stmt):
            found.append(node)
        for blocks in ("body", "orelse", "finalbody", "handlers", "cases"):
            left += getattr(node, blocks, ())
    return tuple(found)


def breaks(found: Iterable[str], exceptions: str) -> dict[str, list[str]]:
    """Return what breaks a rule and is no exception, and exceptions that nothing needs;
    ``exceptions`` names the list beside this file.
    """
    lines = (Path(__file__).parent / exceptions).read_text().splitlines()
    allowed = {line for line in lines if line and not line.startswith("#")}
    wrong = set(found)
    answers = {"mend": wrong - allowed, f"take out of {exceptions}": allowed - wrong}
    return {what: sorted(those) for what, those in answers.items() if those}
