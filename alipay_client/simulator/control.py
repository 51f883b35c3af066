"""The HTTP side: ``/gateway.do`` for the merchant; a page and JSON for those who play customer,
fate and book-keeper.
"""

import json
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias
from urllib.parse import parse_qsl, urlsplit

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from alipay_client.simulator import files, gmt8, page, payments, phone, screens
from alipay_client.simulator.app import SimulatedAlipay
from alipay_client.simulator.book import NotificationEntry
from alipay_client.simulator.model import Code, Declined, RefundEntry, Trade
from alipay_client.simulator.reader import CodeList, TradeList
from alipay_client.simulator.screens import Shown
from alipay_client.simulator.wire import CODECS, NoAnswer

_STATUS = {
    "CODE_UNKNOWN": 404,
    "TRADE_UNKNOWN": 404,
    "BAD_AMOUNT": 400,
    "BAD_BUYER": 400,
    "BOOK_FULL": 507,
    "FILE_TOO_LONG": 507,
}
_NUMBER_MAX = 64
CUT = "simulator.cut"
"""Where ``serve`` leaves the way to end a connection without a byte."""

_Endpoint: TypeAlias = Callable[[Request], Awaitable[Response]]


class _BadRequest(Exception):
    def __init__(self, detail: str, status: int = 400) -> None:
        super().__init__(detail)
        self.status = status


class _Hangup(Response):
    """Ends the connection without a byte; in-process, raises what a real client would see."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:  # noqa: ARG002  # the ASGI signature
        cut = scope.get("state", {}).get(CUT)
        if cut is None:
            raise httpx.RemoteProtocolError("Server disconnected without sending a response.")
        cut()
        while (await receive())["type"] != "http.disconnect":
            pass


def application(alipay: SimulatedAlipay) -> Starlette:
    """Return the ASGI application that serves this Alipay."""
    site = _Site(alipay)
    routes = [
        Route("/gateway.do", site.gateway, methods=["GET", "POST"]),
        Route("/", _guarded(site.show), methods=["GET"]),
        Route("/live", _guarded(site.live), methods=["GET"]),
        Route("/scan", _guarded(site.scan), methods=["GET"]),
        Route("/scan/live", _guarded(site.scan_live), methods=["GET"]),
        Route("/payments", _guarded(site.payments), methods=["GET"]),
        Route("/payments/live", _guarded(site.payments_live), methods=["GET"]),
        Route("/payments/{trade_no}", _guarded(site.receipt), methods=["GET"]),
        Route("/payments/{trade_no}/live", _guarded(site.receipt_live), methods=["GET"]),
        Route("/counter", _guarded(site.counter), methods=["GET"]),
        Route("/counter/live", _guarded(site.counter_live), methods=["GET"]),
        Route("/page.js", _guarded(site.script), methods=["GET"]),
        Route("/phone.css", _guarded(site.style), methods=["GET"]),
        Route("/code.svg", _guarded(site.picture), methods=["GET"]),
        Route("/pay", _guarded(site.pay_form), methods=["POST"]),
        Route("/faults", _guarded(site.faults_form), methods=["POST"]),
        Route("/redeliver", _guarded(site.redeliver_form), methods=["POST"]),
        Route("/control/codes", _guarded(site.codes), methods=["GET"]),
        Route("/control/pay", _guarded(site.pay), methods=["POST"]),
        Route("/control/screens", _guarded(site.screens), methods=["POST"]),
        Route("/control/book", _guarded(site.book), methods=["GET"]),
        Route("/control/files/{day}/transaction", _guarded(site.transactions), methods=["GET"]),
        Route("/control/faults", _guarded(site.faults), methods=["GET"]),
        Route("/control/faults", _guarded(site.set_faults), methods=["POST"]),
        Route("/control/keys", _guarded(site.set_keys), methods=["POST"]),
        Route("/control/plan", _guarded(site.plan), methods=["POST"]),
        Route("/control/redeliver", _guarded(site.redeliver), methods=["POST"]),
        Route("/control/finish", _guarded(site.finish), methods=["POST"]),
        Route("/healthz", _guarded(site.health), methods=["GET"]),
    ]
    return Starlette(routes=routes)


def _guarded(endpoint: _Endpoint) -> _Endpoint:
    """Turn bad requests into answers, and let no page of another site press our buttons."""

    async def answer(request: Request) -> Response:
        origin = request.headers.get("origin")
        if (
            request.method == "POST"
            and origin
            and urlsplit(origin).netloc != request.headers.get("host")
        ):
            return JSONResponse({"error": "FOREIGN_ORIGIN"}, 403)
        try:
            return await endpoint(request)
        except _BadRequest as error:
            return JSONResponse({"error": "BAD_REQUEST", "detail": str(error)}, error.status)
        except Declined as declined:
            return JSONResponse(
                {"error": declined.code, "detail": declined.detail}, _STATUS.get(declined.code, 409)
            )

    return answer


class _Site:
    def __init__(self, alipay: SimulatedAlipay) -> None:
        self._alipay = alipay
        self._context = alipay.context

    async def gateway(self, request: Request) -> Response:
        try:
            body = await self._body(request)
        except _BadRequest as error:
            return Response(status_code=error.status)
        try:
            answer = await self._alipay.answer(request.method, request.url.query.encode(), body)
        except NoAnswer:
            return _Hangup()
        return Response(answer.body, answer.status, {"content-type": answer.content_type})

    async def health(self, _request: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def codes(self, request: Request) -> Response:
        return JSONResponse(await self._alipay.codes(self._limit(request)))

    async def book(self, request: Request) -> Response:
        before = request.query_params.get("before", "")[:_NUMBER_MAX]
        return JSONResponse(await self._alipay.book(self._limit(request), before))

    async def transactions(self, request: Request) -> Response:
        day = _day(request.path_params["day"])
        charset = self._context.quirks.answer_charset
        most = self._context.limits.file_rows_max
        found = await self._alipay.reader.day(*files.span(day), limit=most + 1)
        content = files.transactions(self._context, day, found).encode(CODECS[charset], "replace")
        name = files.file_name(self._context, day)
        headers = {
            "content-type": f"text/plain; charset={charset}",
            "content-disposition": f'attachment; filename="{name}"',
        }
        return Response(content, headers=headers)

    async def pay(self, request: Request) -> Response:
        asked = await self._json(request)
        trade = self._alipay.pay(
            _text(asked, "qrcode"), _text(asked, "amount"), _text(asked, "buyer", "alice")
        )
        return JSONResponse(
            {
                "trade_no": trade.trade_no,
                "out_trade_no": trade.out_trade_no,
                "amount_minor": trade.paid_minor,
                "currency": trade.currency,
            }
        )

    async def screens(self, request: Request) -> Response:
        told = (await self._json(request)).get("screens")
        if not isinstance(told, list) or not all(isinstance(one, dict) for one in told):
            raise _BadRequest("screens is a list of objects")
        known = [one for one in told if self._context.book.code(_text(one, "qrcode")) is not None]
        shown = [(_text(one, "qrcode"), _screen(one, self._context.now_ms())) for one in known]
        for qrcode, screen in shown:
            self._context.screens.tell(qrcode, screen)
        return JSONResponse({"noted": len(shown)})

    async def faults(self, _request: Request) -> Response:
        return JSONResponse(self._context.switches())

    async def set_faults(self, request: Request) -> Response:
        wanted = await self._json(request)
        try:
            self._alipay.switch(wanted)
        except ValueError as error:
            raise _BadRequest(str(error)) from error
        return JSONResponse(self._context.switches())

    async def set_keys(self, request: Request) -> Response:
        wanted = await self._json(request)
        try:
            self._alipay.exchange_keys(**{name: str(text) for name, text in wanted.items()})
        except (TypeError, ValueError) as error:
            raise _BadRequest(str(error)) from error
        return JSONResponse({})

    async def plan(self, request: Request) -> Response:
        wanted = (await self._json(request)).get("faults")
        if not isinstance(wanted, list) or not all(isinstance(name, str) for name in wanted):
            raise _BadRequest("faults is a list of names")
        try:
            self._alipay.plan(*wanted)
        except ValueError as error:
            raise _BadRequest(str(error)) from error
        return JSONResponse({"planned": len(self._context.planned)})

    async def redeliver(self, request: Request) -> Response:
        trade_no = _text(await self._json(request), "trade_no")
        self._trade(trade_no)
        return JSONResponse({"redelivered": self._alipay.courier.redeliver(trade_no)})

    async def finish(self, request: Request) -> Response:
        trade = payments.finish(
            self._context, self._trade(_text(await self._json(request), "trade_no"))
        )
        self._alipay.courier.wake()
        return JSONResponse({"status": trade.status.value})

    async def show(self, request: Request) -> Response:
        return HTMLResponse(phone.scanner(self._context, await self._codes(), _said(request)))

    async def live(self, _request: Request) -> Response:
        return HTMLResponse(phone.codes(self._context, await self._codes()))

    async def _codes(self) -> CodeList:
        return await self._alipay.reader.codes(phone.CODES_MAX)

    async def scan(self, request: Request) -> Response:
        code = self._context.book.code(request.query_params.get("text", ""))
        if code is None:
            return _back("/", "Nobody has this code")
        buyer = request.query_params.get("buyer", phone.BUYER)[:_NUMBER_MAX]
        amount = request.query_params.get("amount", "")[:_NUMBER_MAX]
        return HTMLResponse(phone.sheet(self._context, code, _said(request), buyer, amount))

    async def scan_live(self, request: Request) -> Response:
        return HTMLResponse(phone.screen(self._context, self._code(request)))

    async def payments(self, _request: Request) -> Response:
        return HTMLResponse(phone.payments(self._context, await self._trades(phone.TRADES_MAX)))

    async def payments_live(self, _request: Request) -> Response:
        return HTMLResponse(phone.paid(await self._trades(phone.TRADES_MAX)))

    async def _trades(self, limit: int) -> TradeList:
        return await self._alipay.reader.trades(limit)

    async def receipt(self, request: Request) -> Response:
        return HTMLResponse(phone.receipt(self._context, *self._payment(request)))

    async def receipt_live(self, request: Request) -> Response:
        return HTMLResponse(phone.steps(*self._payment(request)))

    def _payment(
        self, request: Request
    ) -> tuple[Trade, list[RefundEntry], list[NotificationEntry]]:
        book, trade = self._context.book, self._trade(request.path_params["trade_no"])
        return trade, book.refunds_of(trade.trade_no), book.notifications_of(trade.trade_no)

    async def counter(self, request: Request) -> Response:
        trades = await self._trades(phone.TRADES_MAX)
        return HTMLResponse(page.render(self._context, trades, _said(request)))

    async def counter_live(self, _request: Request) -> Response:
        return HTMLResponse(page.live(self._context, await self._trades(phone.TRADES_MAX)))

    async def script(self, _request: Request) -> Response:
        return Response(phone.SCRIPT, headers={"content-type": "text/javascript; charset=utf-8"})

    async def style(self, _request: Request) -> Response:
        return Response(phone.STYLE, headers={"content-type": "text/css; charset=utf-8"})

    async def picture(self, request: Request) -> Response:
        qrcode = self._code(request).qrcode
        headers = {"content-type": "image/svg+xml", "cache-control": "max-age=3600"}
        return Response(phone.picture(qrcode), headers=headers)

    async def pay_form(self, request: Request) -> Response:
        form = await self._form(request)
        qrcode, buyer = form.get("qrcode", ""), form.get("buyer", phone.BUYER)
        amount = form.get("amount", "")
        try:
            trade = self._alipay.pay(qrcode, amount, buyer)
        except Declined as declined:
            said = f"{declined.code} {declined.detail}"
            return _back("/scan", said, text=qrcode, buyer=buyer, amount=amount[:_NUMBER_MAX])
        return RedirectResponse(f"/payments/{trade.trade_no}", 303)

    async def faults_form(self, request: Request) -> Response:
        try:
            self._alipay.switch(
                page.read_switches(self._context.switches(), await self._form(request))
            )
        except ValueError as error:
            return _back("/counter", str(error))
        return _back("/counter", "Switched")

    async def redeliver_form(self, request: Request) -> Response:
        trade_no = (await self._form(request)).get("trade_no", "")
        return _back("/counter", f"Due again: {self._alipay.courier.redeliver(trade_no)}")

    def _code(self, request: Request) -> Code:
        code = self._context.book.code(request.query_params.get("text", ""))
        if code is None:
            raise Declined("CODE_UNKNOWN", "there is no such code")
        return code

    def _trade(self, trade_no: str) -> Trade:
        trade = self._context.book.trade(trade_no)
        if trade is None:
            raise Declined("TRADE_UNKNOWN", "there is no such trade")
        return trade

    def _limit(self, request: Request) -> int:
        most = self._context.limits.list_max
        text = request.query_params.get("limit", str(most))
        if not text.isascii() or not text.isdigit() or len(text) > 9 or not 0 < int(text) <= most:
            raise _BadRequest(f"limit is a number from 1 to {most}")
        return int(text)

    async def _json(self, request: Request) -> dict[str, object]:
        try:
            value = json.loads(await self._body(request))
        except (ValueError, RecursionError) as error:
            raise _BadRequest("the body is no JSON") from error
        if not isinstance(value, dict):
            raise _BadRequest("the body is no JSON object")
        return value

    async def _form(self, request: Request) -> dict[str, str]:
        body = await self._body(request)
        try:
            pairs = parse_qsl(
                body.decode(),
                keep_blank_values=True,
                max_num_fields=self._context.limits.fields_max * 2,
            )
        except ValueError as error:
            raise _BadRequest("the body is no form") from error
        return dict(pairs)

    async def _body(self, request: Request) -> bytes:
        most = self._context.limits.body_bytes_max
        body = b""
        async for piece in request.stream():
            body += piece
            if len(body) > most:
                raise _BadRequest(f"the body is longer than {most} bytes", 413)
        return body


def _text(asked: dict[str, object], name: str, default: str | None = None) -> str:
    value = asked.get(name, default)
    if not isinstance(value, str):
        raise _BadRequest(f"{name} is a text")
    return value


def _screen(told: dict[str, object], now_ms: int) -> Shown:
    left_ms = told.get("left_ms")
    if left_ms is not None and not (
        isinstance(left_ms, int) and 0 <= left_ms <= screens.LEFT_MAX_MS
    ):
        raise _BadRequest(f"left_ms is a number from 0 to {screens.LEFT_MAX_MS}, or null")
    text, amount = _text(told, "text"), _text(told, "amount", "")
    if max(len(text), len(amount)) > screens.TEXT_MAX:
        raise _BadRequest(f"text and amount have at most {screens.TEXT_MAX} characters")
    return Shown(text=text, amount=amount, until_ms=None if left_ms is None else now_ms + left_ms)


def _day(text: str) -> int:
    try:
        return gmt8.day(gmt8.parse(f"{text[:4]}-{text[4:6]}-{text[6:]} 00:00:00"))
    except ValueError as error:
        raise _BadRequest("the day is written YYYYMMDD") from error


def _said(request: Request) -> str:
    return request.query_params.get("said", "")[:200]


def _back(path: str, said: str, **words: str) -> Response:
    return RedirectResponse(f"{path}?{httpx.QueryParams(said=said, **words)}", 303)
