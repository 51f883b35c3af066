"""Files are given to machines that show their token, whole or in ranges, and never change."""

import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from actors.ports import StoreError
from gateway.rpc.denylist import Denylist
from gateway.screens.files import AssetFiles
from gateway.screens.folder import AssetFolder
from gateway.screens.tokens import token_for
from storage.database.engine import Database
from storage.office.assets import AssetContent, Assets
from storage.office.screens import Screens
from tests.storage.office.places import by

KEY = b"k" * 32
CONTENT = b"0123456789"


@asynccontextmanager
async def served(
    db: Database, folder: Path, denied: Denylist | None = None
) -> AsyncIterator[tuple[httpx.AsyncClient, str]]:
    """The app, and the hash of the one file that it has."""
    sha256 = hashlib.sha256(CONTENT).hexdigest()
    assert AssetFolder(folder).put(CONTENT)
    found = AssetContent(sha256=sha256, media_type="image/png", size=10, width=1, height=1)
    await Assets(db).add(found, "some", by())
    made = {"c" * 64: ('{"v":1}', [sha256])}
    await Screens(db).want({}, made, 1)
    files = AssetFiles(
        folder=AssetFolder(folder),
        assets=Assets(db),
        screens=Screens(db),
        key=KEY,
        now_s=lambda: 100,
        denied=denied or Denylist(),
    )
    token = token_for("VM-1", until_s=100, key=KEY)
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(files.app()),
        base_url="http://gw",
        headers={"Authorization": f"Bearer {token}"},
    ) as http:
        yield http, sha256


async def test_a_file_is_given_whole_and_in_part(db: Database, tmp_path: Path) -> None:
    """It may be kept for ever; who has it need not fetch it again from the beginning."""
    async with served(db, tmp_path) as (http, sha256):
        answer = await http.get(f"/assets/{sha256}")
        assert (200, CONTENT, "image/png") == (
            answer.status_code,
            answer.content,
            answer.headers["content-type"],
        )
        assert "immutable" in answer.headers["cache-control"]
        part = await http.get(f"/assets/{sha256}", headers={"Range": "bytes=4-"})
        assert (206, b"456789") == (part.status_code, part.content)
        manifest = await http.get("/assets/" + "c" * 64)
        assert (200, '{"v":1}') == (manifest.status_code, manifest.text)


async def test_who_may_not_or_asks_for_nothing_is_told(
    db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a token, for no hash, for a file that is not here, or was recalled."""
    async with served(db, tmp_path) as (http, sha256):
        for wrong in ("", "Basic abc", "Bearer x", "Bearer " + token_for("V", until_s=99, key=KEY)):
            answer = await http.get(f"/assets/{sha256}", headers={"Authorization": wrong})
            assert 401 == answer.status_code
            assert "ScreenUpdate" in answer.json()["error"]
        assert 404 == (await http.get("/assets/" + "f" * 64)).status_code
        assert 404 == (await http.get("/assets/..%2Fsecret")).status_code
        (tmp_path / sha256).unlink()
        assert "AddAsset" in (await http.get(f"/assets/{sha256}")).json()["error"]
        await Assets(db).recall(sha256, "wrong", by())
        assert 410 == (await http.get(f"/assets/{sha256}")).status_code

        async def away(*_: object) -> None:
            raise StoreError("away")

        monkeypatch.setattr(Assets, "get", away)
        for no_hash in ("%00", "F" * 64, "a" * 65):  # nobody is asked about these
            assert 404 == (await http.get(f"/assets/{no_hash}")).status_code
        assert "60" == (await http.get(f"/assets/{sha256}")).headers["retry-after"]


async def test_a_machine_that_is_denied_fetches_nothing(db: Database, tmp_path: Path) -> None:
    """Its token is good for hours, and ends with the denial; when that is over it is good again."""
    denied = Denylist()
    async with served(db, tmp_path, denied) as (http, sha256):
        denied.set([("MACHINE", "VM-1", "")])
        for name in (sha256, "c" * 64):
            answer = await http.get(f"/assets/{name}")
            assert (403, "no-store") == (answer.status_code, answer.headers["cache-control"])
        denied.set([("MACHINE", "VM-2", "")])
        assert 200 == (await http.get(f"/assets/{sha256}")).status_code
