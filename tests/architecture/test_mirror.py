"""The tests stand where the source stands: each module has its test file, each test file its
module.
"""

from pathlib import Path

from tests.architecture.house import ROOMS, ROOT, breaks, name_of, tracked

NO_MODULES = ("storage/migrations/",)
"""What Alembic runs by file, not by import."""


def modules() -> dict[str, Path]:
    """Every module of the four rooms, by the name of the test file that it should have."""
    return {
        f"tests/{name.rpartition('/')[0]}/test_{path.stem}.py": path
        for path in tracked(".py")
        if (name := name_of(path)).split("/")[0] in ROOMS
        and not path.stem.startswith("__")
        and not name.startswith(NO_MODULES)
    }


def files_of_tests() -> set[str]:
    """Every test file of the four rooms."""
    return {
        name
        for path in tracked(".py")
        if (name := name_of(path)).startswith(tuple(f"tests/{room}/" for room in ROOMS))
        and path.name.startswith("test_")
    }


def test_every_module_has_its_test_file() -> None:
    """Whoever changes a module finds its tests without a search."""
    there = files_of_tests()
    missing = [name_of(path) for test, path in modules().items() if test not in there]
    assert {} == breaks(missing, "modules_without_test_file.txt")


def test_every_test_file_has_its_module() -> None:
    """A test file that names no module is a journey, and on the list."""
    assert {} == breaks(files_of_tests() - modules().keys(), "test_files_without_module.txt")


def test_the_mirror_sees_the_rooms() -> None:
    """All four rooms are looked at, from the folder in which this file stands."""
    assert (ROOT / "tests" / "architecture" / "test_mirror.py") == Path(__file__)
    assert set(ROOMS) == {name_of(path).split("/")[0] for path in modules().values()}
