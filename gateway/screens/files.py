"""The files that machines show, over HTTP: ``GET /assets/<sha256>``, on a listener of its own, so
that a fleet that fetches takes nothing from payments.

Flows in: requests of machines, with the token that their gateway told them. Flows out: a file or a
manifest, whole or in ranges, which never changes; or a sentence that says why not. What was
recalled is not given out any more.
"""

from collections.abc import Callable

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route

from actors.ports import StoreError
from gateway.rpc.denylist import Denylist
from gateway.screens.folder import AssetFolder, is_hash
from gateway.screens.tokens import machine_of
from storage.office.assets import Assets
from storage.office.deeds import NotThere
from storage.office.screens import Screens

PATH = "/assets/"
FOR_EVER = "private, max-age=31536000, immutable"


class AssetFiles:
    """The app. ``now_s``: seconds of UTC, for tokens."""

    def __init__(
        self,
        *,
        folder: AssetFolder,
        assets: Assets,
        screens: Screens,
        key: bytes,
        now_s: Callable[[], int],
        denied: Denylist,
    ) -> None:
        self._folder = folder
        self._assets = assets
        self._screens = screens
        self._key = key
        self._now_s = now_s
        self._denied = denied

    def app(self) -> Starlette:
        """Return the app."""
        return Starlette(routes=[Route(f"{PATH}{{sha256}}", self._give, methods=["GET", "HEAD"])])

    async def _give(self, request: Request) -> Response:
        kind, _, token = request.headers.get("authorization", "").partition(" ")
        machine_id = machine_of(token, now_s=self._now_s(), key=self._key)
        if kind.lower() != "bearer" or machine_id is None:
            said = "show the token of your last ScreenUpdate as Authorization: Bearer <token>"
            return _refused(401, said)
        if self._denied.machine(machine_id):
            return _refused(403, "this machine is denied: its operator knows why")
        sha256 = request.path_params["sha256"]
        if not is_hash(sha256):
            return _nowhere()  # PostgreSQL takes no text with a zero in it.
        headers = {"Cache-Control": FOR_EVER, "ETag": f'"{sha256}"'}
        try:
            asset = await self._assets.get(sha256)
        except NotThere:
            return await self._manifest(sha256, headers)
        except StoreError:
            return _later()
        if asset.recalled_at_ms is not None:
            return _refused(410, "this file was recalled: show it no more")
        place = self._folder.find(sha256)
        if place is None:
            return _refused(404, "this file is not in the folder: AddAsset puts it there")
        return FileResponse(place, media_type=asset.content.media_type, headers=headers)

    async def _manifest(self, sha256: str, headers: dict[str, str]) -> Response:
        try:
            body = await self._screens.manifest(sha256)
        except NotThere:
            return _nowhere()
        except StoreError:
            return _later()
        return Response(body, media_type="application/json", headers=headers)


def _refused(status: int, sentence: str) -> Response:
    headers = {"Cache-Control": "no-store"}
    return JSONResponse({"error": sentence}, status_code=status, headers=headers)


def _nowhere() -> Response:
    return _refused(404, "there is no file of this hash")


def _later() -> Response:
    answer = _refused(503, "the database does not answer: try again in a minute")
    answer.headers["Retry-After"] = "60"
    return answer
