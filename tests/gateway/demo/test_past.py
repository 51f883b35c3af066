"""The program that lives the demo's past, as the demo sees it."""

import json
import sys
from pathlib import Path

import pytest

from gateway.demo.children import ChildFailed, Children
from gateway.demo.past import Past, PastSize, lived

SIZE = PastSize(seed=7, weeks=5, machines=6)
SAID = """
import json, sys
print(json.dumps({"pid": 1}), flush=True)
print(json.dumps({"message": "week 1 of 5"}), file=sys.stderr)
"""
TELLS = "print(json.dumps({'sales': len(sys.argv), 'sentences': sys.argv[1:]}))\n"
FAILS = "sys.exit('the books do not hold')\n"


async def _lived(folder: Path, program: str) -> Past:
    children = Children(folder, program=(sys.executable, "-c", SAID + program))
    try:
        return await lived(
            children, None, folder, folder / "vendgate.toml", folder / "alipay", SIZE
        )
    finally:
        await children.stop()


async def test_it_is_told_where_and_how_much_and_what_it_tells_is_passed_on(
    tmp_path: Path,
) -> None:
    """Its last line, not its first."""
    past = await _lived(tmp_path, TELLS)
    assert (
        *("simulate", "past", "--config", str(tmp_path / "vendgate.toml")),
        *("--state-dir", str(tmp_path / "machines"), "--alipay-dir", str(tmp_path / "alipay")),
        *("--seed", "7", "--weeks", "5", "--machines", "6", "--json-ready"),
    ) == past.sentences
    assert len(past.sentences) + 1 == past.sales
    assert {"message": "week 1 of 5"} == json.loads((tmp_path / "past.log").read_text())


async def test_one_that_fails_ends_the_demo_with_its_last_words(tmp_path: Path) -> None:
    """Nobody goes on from half a past."""
    with pytest.raises(ChildFailed, match=r"past failed; .*\n.*\nthe books do not hold"):
        await _lived(tmp_path, FAILS)
