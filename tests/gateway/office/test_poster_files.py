"""``vendgate poster``: a file that is there whole or not at all, and what is said about it."""

import asyncio
import json
import os
import sqlite3
import stat
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pypdfium2
import pytest
from typer.testing import CliRunner, Result

from gateway import cli
from gateway.office import poster_files
from gateway.posters.code import code_id
from storage.office.poster_lines import PosterLine
from tests.alipay_client.wire import Pair
from tests.gateway.posters.pages import read
from tests.support import installed
from tests.support.fleet_calls import registered
from tests.support.patience import HANGS_AFTER_S
from tests.support.site import Site


class Desk:
    """An operator's folder: a configuration whose database is that of a site."""

    def __init__(self, site: Site, folder: Path, pair: Pair) -> None:
        self.path = site.path
        tables = installed.good(folder, pair)
        tables["database"] = {"url": f"sqlite:///{site.path}"}
        tables["posters"] = {"languages": ["en"], "support_phone": "+852 2131 8181"}
        self.config = installed.write(folder, tables)
        self.out = folder / "posters.pdf"

    async def poster(self, *arguments: str, out: Path | None = None) -> Result:
        """Type the command."""
        line = [*arguments, "--out", str(out or self.out), "--config", self.config, "--by", "ann"]
        return await asyncio.to_thread(CliRunner().invoke, cli.app, ["poster", *line])

    def files(self) -> set[str]:
        """Return what is in the folder."""
        return {one.name for one in self.out.parent.iterdir()}

    def printed(self) -> list[tuple[str, str, str]]:
        """Return who printed what of which machine, by the audit log."""
        with closing(sqlite3.connect(self.path)) as other:
            return other.execute(
                "SELECT actor, machine_id, detail FROM audit WHERE action = 'PrintPoster'"
                " ORDER BY id"
            ).fetchall()


@pytest.fixture
async def desk(site: Site, tmp_path: Path, pair: Pair) -> Desk:
    """Two machines with codes."""
    for machine_id in ("VM-2", "VM-1"):
        await registered(site, machine_id)
    return Desk(site, tmp_path, pair)


def _codes(path: Path) -> list[list[str]]:
    with pypdfium2.PdfDocument(path) as document:
        return [read(page.render(scale=2).to_pil().convert("RGB")) for page in document]


async def _payload(site: Site, machine_id: str) -> str:
    view = await site.queries.machine(machine_id)
    assert view is not None
    assert view.qr_payload
    return view.qr_payload


def _run(desk: Desk, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "gateway", "poster", *arguments, "--config", desk.config],
        capture_output=True,
        text=True,
        timeout=HANGS_AFTER_S,
        env={**os.environ, "PYTHONPATH": str(Path.cwd())},
    )


async def test_a_process_makes_one_page_a_machine(site: Site, desk: Desk) -> None:
    """In the order of ids, for its owner alone; each page has its machine's code, and a row of the
    audit log says so.
    """
    done = await asyncio.to_thread(
        _run, desk, "VM-2", "VM-1", "VM-2", "--out", str(desk.out), "--by", "ann"
    )
    assert (0, f"{desk.out} has 2 posters.\n", "") == (done.returncode, done.stdout, done.stderr)
    codes = [await _payload(site, machine_id) for machine_id in ("VM-1", "VM-2")]
    assert [[one] for one in codes] == _codes(desk.out)
    assert 0o600 == stat.S_IMODE(desk.out.stat().st_mode)
    assert [
        ("ann", "VM-1", f"code {code_id(codes[0])}, a4 pdf"),
        ("ann", "VM-2", f"code {code_id(codes[1])}, a4 pdf"),
    ] == desk.printed()
    again = desk.out.with_name("again.pdf")
    assert 0 == (await desk.poster("--selector", '{"all":true}', out=again)).exit_code
    assert desk.out.read_bytes() == again.read_bytes()


async def test_a_machine_has_a_picture(site: Site, desk: Desk, tmp_path: Path) -> None:
    """A sticker with bleed, as PNG."""
    from PIL import Image

    out = tmp_path / "VM-1.png"
    done = await desk.poster("VM-1", "--size", "sticker", "--bleed", out=out)
    assert (0, f"{out} has 1 poster.\n") == (done.exit_code, done.stdout)
    with Image.open(out) as opened:
        assert [await _payload(site, "VM-1")] == read(opened.convert("RGB"))
    assert "sticker png" in desk.printed()[0][2]


async def test_what_was_asked_wrongly_is_refused(desk: Desk, tmp_path: Path) -> None:
    """A sentence each, and nothing is written: no file, no row."""
    (tmp_path / "there.pdf").write_text("older")
    png, before = tmp_path / "two.png", desk.files()
    for arguments, out, said in (
        ([], None, "name machines, or give --selector: one of the two"),
        (["VM-1", "--selector", '{"all":true}'], None, "one of the two"),
        (["VM-1"], tmp_path / "a.doc", "name a file that ends in .pdf or .png"),
        (["VM-1", "VM-2"], png, "a PNG has one machine's poster"),
        (["--selector", '{"all":true}'], png, "a PNG has one machine's poster"),
        (["VM-1"], tmp_path / "there.pdf", "overwrite it with --force"),
        (["VM 1"], None, "selector.machine_ids[0]"),
        (["VM-9", "VM-8", "VM-1"], None, "there is no machine VM-9, VM-8"),
        (["--selector", "{"], None, "--selector is none: "),
        (["--selector", "{}"], None, "must say which machines are meant"),
        (["--selector", '{"city":"hk"}'], None, "--selector is none: "),
        (["--selector", '{"model":"moon"}'], None, "the selector holds no machine"),
        (["--selector", '{"site":"moon"}'], None, "there is no site 'moon'"),
        (["VM-1"], tmp_path / "none" / "a.pdf", "cannot be used (No such file or directory)"),
    ):
        done = await desk.poster(*arguments, out=out)
        assert 1 == done.exit_code, said
        assert said in done.stderr
        assert "" == done.stdout
    assert "older" == (tmp_path / "there.pdf").read_text()
    assert before == desk.files()
    assert [] == desk.printed()
    assert 0 == (await desk.poster("VM-1", "--force", out=tmp_path / "there.pdf")).exit_code
    assert (tmp_path / "there.pdf").read_bytes().startswith(b"%PDF")


async def test_who_can_have_no_poster_is_named(desk: Desk) -> None:
    """And nobody gets one, unless the others are asked for; the file leaves nothing beside it."""
    with closing(sqlite3.connect(desk.path)) as other, other:
        other.execute(
            "UPDATE machines SET retired_at_ms = 1, enabled = 0 WHERE machine_id = 'VM-2'"
        )
    before = desk.files()
    done = await desk.poster("VM-1", "VM-2")
    assert 1 == done.exit_code
    assert "nothing was printed:\nmachine VM-2: it was retired" in done.stderr
    assert before == desk.files()
    assert [] == desk.printed()
    done = await desk.poster("VM-2", "--skip")
    assert 1 == done.exit_code
    assert not desk.out.exists()
    done = await desk.poster("VM-1", "VM-2", "--skip")
    assert 0 == done.exit_code, done.output
    assert f"{desk.out} has 1 poster.\n" == done.stdout
    assert "left out: machine VM-2: it was retired" in done.stderr
    assert ["VM-1"] == [machine_id for _, machine_id, _ in desk.printed()]


async def test_a_file_that_appears_meanwhile_stays(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two people who print to one name do not overwrite one another."""
    checked = poster_files._check

    def late(wanted: poster_files.Wanted) -> None:
        checked(wanted)
        desk.out.write_text("theirs")

    monkeypatch.setattr(poster_files, "_check", late)
    done = await desk.poster("VM-1")
    assert 1 == done.exit_code
    assert "was made by somebody else meanwhile" in done.stderr
    assert "theirs" == desk.out.read_text()


async def test_a_file_holds_so_many_machines(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """More are refused with what to do; machines are read in parts."""
    monkeypatch.setattr(poster_files, "READ_AT_ONCE", 1)
    assert 0 == (await desk.poster("--selector", json.dumps({"all": True}))).exit_code
    monkeypatch.setattr(poster_files, "MACHINES_MAX", 1)
    done = await desk.poster("--selector", json.dumps({"all": True}), "--force")
    assert 1 == done.exit_code
    assert "the selector holds more than 1 machines" in done.stderr


async def test_nobody_has_a_poster_of_which_the_books_know_nothing(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The row is there before the file; where it cannot be written there is no file."""
    from actors.ports import StoreError
    from storage.office.posters import PosterBooks

    async def away(*_: object, **__: object) -> None:
        assert not desk.out.exists()
        raise StoreError("the database does not answer")

    monkeypatch.setattr(PosterBooks, "note", away)
    done = await desk.poster("VM-1")
    assert 1 == done.exit_code
    assert "the database does not answer" in done.stderr
    assert not desk.out.exists()


async def test_a_computer_that_draws_nothing_says_what_to_install(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before it asks anybody anything."""
    from gateway.posters import looks

    monkeypatch.setattr(looks, "PARTS", ("no_such_package",))
    done = await desk.poster("VM-1")
    assert 1 == done.exit_code
    assert "pip install 'vendgate[poster]'" in done.stderr
    assert PosterLine.__name__ not in done.stderr
