"""The house keeps its own rules: what a linter does not know, this file does."""

import ast
import re
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.architecture.house import ROOMS, ROOT, breaks, name_of, parsed, statements, tracked

pytestmark = pytest.mark.xdist_group("tidy")  # one process reads all files once
LINES_MAX = 500
TEST_LINES_MAX = 650
"""A test file may tell more stories than its module has functions."""
MIGRATION_LINES_MAX = 650
"""A migration is one list of tables, which is never changed again."""


@pytest.fixture(autouse=True, scope="module")
def _all_files_are_forgotten() -> Iterator[None]:
    """At the end: millions of nodes, at which the collector of cycles would look again and again
    as long as the process lives.
    """
    yield
    statements.cache_clear()
    parsed.cache_clear()


def test_no_file_has_grown_into_two_rooms() -> None:
    """A file above its bound wants to be two."""
    bound = {
        path: TEST_LINES_MAX
        if path.is_relative_to(ROOT / "tests")
        else MIGRATION_LINES_MAX
        if path.is_relative_to(ROOT / "storage" / "migrations" / "versions")
        else LINES_MAX
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
        if not ast.get_docstring(parsed(path))
    ]


def _tests(path: Path) -> Iterator[tuple[str, str | None]]:
    for node in statements(path):
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
        if not re.search(r"\b(float|round)\b", path.read_text()):
            continue
        for node in ast.walk(parsed(path)):
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
    others. What its values are made with (msgspec) knows kinds of values that they do not use.
    """
    probe = (
        "import sys, msgspec; known = set(sys.modules); import actors.machine; "
        "print(*sys.modules.keys() - known)"
    )
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


def test_no_test_imports_from_a_test() -> None:
    """What two test files need is a helper, and stands in a file of its own."""
    assert [] == [
        f"{name_of(path)}: {node.module}"
        for path in tracked(".py")
        for node in statements(path)
        if isinstance(node, ast.ImportFrom)
        and (node.module or "").startswith("tests.")
        and (node.module or "").rpartition(".")[2].startswith("test_")
    ]


def _classes() -> dict[tuple[str, str], list[str]]:
    """Where each public class of a room is made."""
    made = defaultdict(list)
    for path in tracked(".py"):
        room = name_of(path).split("/")[0]
        if room in ROOMS:
            for node in parsed(path).body:
                if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                    made[room, node.name].append(name_of(path))
    return made


def test_a_class_name_means_one_thing_in_a_room() -> None:
    """No public class stands twice in a room."""
    twice = [f"{room}: {name}" for (room, name), places in _classes().items() if len(places) > 1]
    assert {} == breaks(twice, "classes_named_twice.txt")


def test_a_turn_is_one_thing_in_the_house() -> None:
    """The word had four meanings once."""
    assert 1 >= sum(len(places) for (_, name), places in _classes().items() if name == "Turn")


def _expected_last(path: Path) -> Iterator[int]:
    """The lines of assertions whose literal stands behind what is asked."""
    for node in statements(path):
        if (
            isinstance(node, ast.Assert)
            and isinstance(compared := node.test, ast.Compare)
            and isinstance(compared.ops[0], ast.Eq)
            and len(compared.ops) == 1
            and _is_literal(compared.comparators[0])
            and not _is_literal(compared.left)
        ):
            yield node.lineno


def _is_literal(node: ast.expr) -> bool:
    try:
        ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError):
        return False
    return True


def test_what_goes_on_for_ever_is_begun_by_whoever_begins_it_again() -> None:
    """``gateway.process.works``: a task of its own would end by a defect, and nobody would know."""
    programs_of_their_own = ("bench", "certify", "demo", "past", "simulator")
    assert [] == [
        name_of(path)
        for path in tracked(".py")
        if name_of(path).startswith("gateway/")
        and name_of(path).split("/")[1] not in programs_of_their_own
        and re.search(r"create_task\(\s*([\w.]+\.run\(|follow\()", path.read_text())
    ]


def test_processes_of_our_own_are_started_in_one_way() -> None:
    """What ``gateway.process.offspring`` says of folders and of variables holds for all of them,
    but for what measures copies of the program, each in its folder.
    """
    assert [] == [
        f"{path.relative_to(ROOT)}"
        for path in tracked(".py")
        if name_of(path).split("/")[0] in ROOMS
        and not name_of(path).startswith("gateway/bench/")
        and re.search(r'sys\.executable, "-m"', path.read_text())
    ]


def test_what_is_expected_stands_first() -> None:
    """``assert 3 == len(rows)``: all tests say it in one order."""
    assert {} == breaks(
        (
            name_of(path)
            for path in tracked(".py")
            if path.is_relative_to(ROOT / "tests") and any(_expected_last(path))
        ),
        "files_with_the_expected_last.txt",
    )


def test_every_decision_is_listed_once_and_in_order() -> None:
    """By its number and its file, under one heading line each."""
    folder = ROOT / "docs" / "decisions"
    files = sorted(path.name for path in folder.glob("0*.md"))
    listed = re.findall(
        r"^\| \[(\d{4})\]\((.+?)\) \|", (folder / "README.md").read_text(), re.MULTILINE
    )
    assert [(name[:4], name) for name in files] == listed
    assert [number for number, _ in listed] == sorted({number for number, _ in listed})
