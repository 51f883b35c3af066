"""The name of a place that only one program can have at a time."""

from pathlib import Path

import pytest

from gateway.process.home import home_of
from gateway.process.sections import Address

HERE = Address(host="127.0.0.1", port=8_080)


@pytest.fixture
def boot(tmp_path: Path) -> Path:
    """Where the kernel tells one start of a computer from the next."""
    path = tmp_path / "boot_id"
    path.write_text("0b6c\n")
    return path


def test_the_next_program_of_a_place_has_its_name(boot: Path, tmp_path: Path) -> None:
    """So it need not wait for its predecessor's lease."""
    assert home_of(HERE, boot=boot, network=tmp_path) == home_of(HERE, boot=boot, network=tmp_path)
    assert "-8080-" in home_of(HERE, boot=boot, network=tmp_path)


@pytest.mark.parametrize("address", [("127.0.0.1", 8_081), ("0.0.0.0", 8_080)])
def test_another_address_is_another_place(
    boot: Path, tmp_path: Path, address: tuple[str, int]
) -> None:
    """Two programs of one computer are never one home."""
    other = Address(host=address[0], port=address[1])
    assert home_of(HERE, boot=boot, network=tmp_path) != home_of(other, boot=boot, network=tmp_path)


def test_another_container_and_another_start_are_other_places(boot: Path, tmp_path: Path) -> None:
    """The same address exists in each."""
    before = home_of(HERE, boot=boot, network=tmp_path)
    assert before != home_of(HERE, boot=boot, network=boot)
    boot.write_text("1f00\n")
    assert before != home_of(HERE, boot=boot, network=tmp_path)


def test_where_nothing_can_be_proved_no_home_comes_twice(tmp_path: Path) -> None:
    """Then the lease decides."""
    nowhere = tmp_path / "nothing"
    assert home_of(HERE, boot=nowhere, network=tmp_path) != home_of(
        HERE, boot=nowhere, network=tmp_path
    )
