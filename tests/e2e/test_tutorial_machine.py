"""The machine that docs/tutorial.md has people write, as printed, before the examiner.

In scope: what it says to answers for an earlier start. That it sells is typed with its whole page.
"""

import asyncio
import re
import sys
import time
from pathlib import Path

import pytest

from gateway.certify.desk import Call, Desk, ExamTerms
from gateway.certify.hands import NoHands
from gateway.certify.moments import MachineMoment, refused_waiting
from gateway.certify.selling import approval
from gateway.certify.server import listening
from gateway.rpc.tls import Tls
from gateway.v1 import machine_pb2 as pb
from tests.e2e.typed import ROOT
from tests.support.certificates import Authority
from tests.support.patience import HANGS_AFTER_S

MACHINE = "VM-0002"
PROGRAM = re.compile(
    r"^<!-- walk: file my_machine.py -->\n```python\n(.*?)^```", re.MULTILINE | re.DOTALL
)

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]


def lay_out(folder: Path, ca: Authority) -> None:
    """The program, and the files that ``vendgate init`` would have made."""
    found = PROGRAM.search((ROOT / "docs" / "tutorial.md").read_text())
    assert found is not None
    (folder / "my_machine.py").write_text(found[1])
    own = ca.machine(MACHINE)
    for name, content in (
        ("ca/root.pem", ca.certificate),
        (f"tls/{MACHINE}.pem", own.certificate),
        (f"tls/{MACHINE}_key.pem", own.private_key),
    ):
        path = folder / "run" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


async def conversation(desk: Desk) -> Call:
    """Tell it of an earlier start's request in each way there is; then let it sell."""

    async def heard(payload: str) -> MachineMoment:
        found = await desk.until(
            lambda: next(iter(desk.seen_since(0).heard(payload)), None), 60_000
        )
        assert found is not None, payload
        return found

    call = await desk.online()
    request = await heard("vend_request")
    code = pb.ShowQr(request_id="earlier-1", qr_payload="qr", amount_minor=500, expires_in_ms=9_000)
    await call.say(show_qr=code)
    cancelled = await heard("vend_cancel")
    assert "earlier-1" == cancelled.said_by_machine.vend_cancel.request_id
    await call.say(vend_denied=pb.VendDenied(request_id="earlier-1"))
    await call.say(end_session=pb.EndSession(session_id="earlier"))
    await call.say(vend_approved=approval(desk, request, request_id="earlier-2"))
    assert refused_waiting(await heard("vend_failure"))
    approved = approval(desk, request)
    await call.say(vend_approved=approved)
    assert approved.vend_id == (await heard("vend_success")).result_of
    await call.say(end_session=pb.EndSession(session_id="own", refund_minor=0))
    return call


async def test_it_obeys_nothing_that_is_for_an_earlier_start(tmp_path: Path) -> None:
    """Answers are for the request that they name: another's code is cancelled, another's approval
    turns no motor, and another's denial ends nothing.
    """
    ca = Authority()
    lay_out(tmp_path, ca)
    server = ca.server()
    tls = Tls(
        certificate=server.certificate, private_key=server.private_key, client_ca=ca.certificate
    )
    desk = Desk(
        terms=ExamTerms(mark="x"), hands=NoHands(), now_ms=lambda: time.monotonic_ns() // 1_000_000
    )
    async with listening(desk, "127.0.0.1:0", tls) as port, asyncio.timeout(HANGS_AFTER_S):
        words = ("-u", "my_machine.py", MACHINE, f"localhost:{port}")
        process = await asyncio.create_subprocess_exec(
            sys.executable, *words, cwd=tmp_path, stdout=asyncio.subprocess.PIPE
        )
        try:
            await conversation(desk)
            output, _ = await process.communicate()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()

    assert 0 == process.returncode
    assert [
        "welcome; I am in service",
        "somebody wants Item A1 from A1",
        "nobody waits for that any more; the motor is still",
        "the motor turns ... and something fell",
        "thank you; 0.00 goes back",
    ] == output.decode().splitlines()
