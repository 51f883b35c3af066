"""The house keeps its own rules: what a linter does not know, this file does."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("gateway", "storage", "actors", "alipay_client")
LINES_MAX = 500
TEST_LINES_MAX = 650
"""A test file may tell more stories than its module has functions."""


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


def test_no_file_has_grown_into_two_rooms() -> None:
    """A file above its bound wants to be two."""
    bound = {
        path: TEST_LINES_MAX if path.is_relative_to(ROOT / "tests") else LINES_MAX
        for path in tracked(".py")
    }
    assert [] == [
        f"{path.relative_to(ROOT)}"
        for path, most in bound.items()
        if len(path.read_text().splitlines()) > most
    ]


def test_every_module_tells_what_it_is_for() -> None:
    """Each module opens with its story."""
    assert [] == [
        f"{path.relative_to(ROOT)}"
        for path in tracked(".py")
        if not ast.get_docstring(ast.parse(path.read_text()))
    ]


def _tests(path: Path) -> Iterator[tuple[str, str | None]]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith(
            "test_"
        ):
            yield node.name, ast.get_docstring(node)


def test_every_test_says_what_is_true() -> None:
    """A test without a sentence proves nobody knows what."""
    silent = [
        f"{path.relative_to(ROOT)}::{name}"
        for path in tracked(".py")
        if path.is_relative_to(ROOT / "tests")
        for name, sentence in _tests(path)
        if not sentence
    ]
    assert [] == silent


def test_no_float_comes_near_the_money() -> None:
    """The rooms where amounts live know no float: not as a type, not as a conversion, not as a
    rounding.
    """
    found = []
    for path in tracked(".py"):
        room = path.relative_to(ROOT).parts[:2]
        if room[0] not in {"storage", "alipay_client"} and room != ("actors", "machine"):
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            names = isinstance(node, ast.Name) and node.id == "round"
            amount = (
                isinstance(node, ast.arg | ast.AnnAssign)
                and "minor" in ast.unparse(node)
                and "float" in ast.unparse(node)
            )
            if names or amount:
                found.append(f"{path.relative_to(ROOT)}: {ast.unparse(node)}")
    assert [] == found


def test_the_core_knows_nothing_of_the_world() -> None:
    """The pure core loads no clock, no randomness, no network and no database, not even through
    others.
    """
    probe = "import sys, actors.machine; print(' '.join(sys.modules))"
    loaded = subprocess.run(
        [sys.executable, "-c", probe], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout.split()

    assert [] == sorted(
        {"asyncio", "ray", "grpc", "httpx", "sqlalchemy", "structlog", "random", "uuid", "datetime"}
        & set(loaded)
    )


@pytest.mark.parametrize(
    "name",
    ["README.md", "CHANGELOG.md", "docs/architecture.md", "docs/firmware.md", "docs/operations.md"],
)
def test_the_documents_are_there(name: str) -> None:
    """Operators, firmware engineers and maintainers each have their page."""
    assert (ROOT / name).is_file()


def test_links_between_documents_lead_somewhere() -> None:
    """A relative link in a document names a file that exists."""
    broken = [
        f"{path.relative_to(ROOT)} -> {target}"
        for path in tracked(".md")
        for target in _links(path.read_text())
        if not (path.parent / target).exists()
    ]
    assert [] == broken


def _links(text: str) -> Iterator[str]:
    for piece in text.split("](")[1:]:
        target = piece.split(")")[0].split("#")[0]
        if target and "://" not in target:
            yield target


def test_no_machine_path_or_registry_host_is_committed() -> None:
    """A fresh machine has neither the author's folders nor their mirrors."""
    places = (
        "/" + "work/",
        "/" + "root/",
        "pypi." + "org",
        "files.python" + "hosted.org",
        "registry.npm" + "js.org",
    )
    found = []
    for suffix in (".py", ".md", ".toml", ".txt", ".yaml", ".yml", ".sh", ".proto"):
        for path in tracked(suffix):
            text = path.read_text()
            found += [f"{path.relative_to(ROOT)}: {place}" for place in places if place in text]
    assert [] == found
