"""Files are brought to a gateway by a command."""

import asyncio
import hashlib
from pathlib import Path

import pytest
from typer.testing import CliRunner

from gateway.cli import app
from gateway.office.asset_command import NotAdded, added
from tests.gateway.screens.showable import picture
from tests.support.site import Site


async def test_a_file_is_brought_and_its_hash_is_printed(site: Site, tmp_path: Path) -> None:
    """Under the name of who brings it; what cannot be shown is told with the file's name."""
    listener = site.gateway.admin_listener("127.0.0.1:0", None)
    await listener.start()
    address = f"127.0.0.1:{listener.port}"
    file, other = tmp_path / "cola.png", tmp_path / "other.svg"
    file.write_bytes(picture("PNG"))
    other.write_text("<svg/>")
    said = ["assets", "add", str(file), "--admin", address, "--by", "ann"]
    done = await asyncio.to_thread(CliRunner().invoke, app, said)
    assert 0 == done.exit_code, done.output
    sha256 = hashlib.sha256(picture("PNG")).hexdigest()
    assert done.stdout.startswith(sha256)
    view = await site.gateway.office.showing.assets.get(sha256)
    assert ("cola.png", True) == (view.name, "ann" in view.added_by)
    with pytest.raises(NotAdded, match=r"other\.svg"):
        await asyncio.to_thread(added, other, address, by="ann", pem=(None, None, None))
    await listener.stop(grace_s=0)
