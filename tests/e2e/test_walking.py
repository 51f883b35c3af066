"""What is done on a page is read from it, and nothing that it says is passed over."""

from pathlib import Path

import pytest

from tests.e2e.desk import Desk
from tests.e2e.walking import Step, Walk, steps, untyped

PAGE = """
Text.

<!-- walk: shows it is here -->
<!-- walk: status 3 -->
```sh
echo it is here; exit 3
```

1. In a list:

   ```sh
   echo two
   ```

<!-- walk: end gateway -->
```text
what a program prints
```

<!-- walk: not typed, it needs an account -->
```sh
rm -rf /
```
"""


def test_blocks_and_what_is_between_them() -> None:
    """In their order, without a list's indent; a block of another kind counts if something is said
    of it.
    """
    first, second, between, last = steps(PAGE)
    said = (("shows", "it is here"), ("status", "3"))
    assert Step("sh", "echo it is here; exit 3\n", said) == first
    assert Step("sh", "echo two\n", ()) == second
    assert Step("", "", (("end", "gateway"),)) == between
    assert not last.typed
    assert ["it needs an account"] == untyped([first, last])


@pytest.mark.parametrize(
    "text",
    [
        "<!-- walk: whatever -->\n```sh\nls\n```\n",
        "<!-- walk: leave gateway -->\n```sh\nls\n```\n",
        "<!-- walk: shows a -->\n<!-- walk: end b -->\n",
        "<!-- walk: shows a -->\n",
    ],
    ids=["unknown", "without a text", "between a word and its block", "without a block"],
)
def test_what_means_nothing_is_refused(text: str) -> None:
    """A slip of the pen must not leave a block untried."""
    with pytest.raises(ValueError, match=r"means nothing|belongs to no block"):
        steps(text)


async def test_a_page_is_walked(tmp_path: Path) -> None:
    """What is printed and how it ends are looked at; a page that is wrong fails."""
    text = PAGE.replace("<!-- walk: end gateway -->\n", "")
    async with Walk(Desk(tmp_path, {}, {})) as walk:
        await walk.through(text)
        with pytest.raises(AssertionError, match="not it was here"):
            await walk.through(text.replace("shows it is here", "shows it was here"))
        with pytest.raises(AssertionError):
            await walk.through(text.replace("status 3", "status 0"))
        await walk.through("<!-- walk: file a/b -->\n```text\nwritten\n```\n")
    assert "written\n" == (tmp_path / "a" / "b").read_text()
