"""A process that draws: a job in, what came of it out."""

import subprocess
import sys

import msgspec
import pypdfium2

from gateway.posters.child import DrawnPosters, drawn
from gateway.posters.layout import Size
from tests.gateway.posters.pages import job, line, pressed, settings
from tests.support.patience import HANGS_AFTER_S


def test_a_process_draws_what_we_would() -> None:
    """The same bytes, whoever draws; it says nothing else and ends."""
    done = subprocess.run(
        [sys.executable, "-m", "gateway.posters.child"],
        input=msgspec.msgpack.encode(job()),
        capture_output=True,
        timeout=HANGS_AFTER_S,
    )
    assert (0, b"") == (done.returncode, done.stderr)
    told = msgspec.msgpack.decode(done.stdout, type=DrawnPosters)
    assert pressed(*job().lines, size=Size.A5) == told.content
    assert ["VM-1", "VM-2"] == [one.machine_id for one in told.printed]


def test_each_way_to_be_refused_is_told() -> None:
    """One of several, the only one of a picture, all because of the settings or of the size."""
    lines = [line("VM-1"), line("VM-2", status="STOPPED")]
    some = drawn(job(lines=lines))
    assert [("VM-2", "CODE_NOT_READY")] == [(one.machine_id, one.reason) for one in some.refused]
    with pypdfium2.PdfDocument(some.content) as document:
        assert 1 == len(document)
    broken = settings().model_dump(mode="json") | {"font_file": "/none.ttf"}
    for made, reason, machine_id in (
        (drawn(job(lines=lines[1:], png=True)), "CODE_NOT_READY", "VM-2"),
        (drawn(job(section=broken)), "POSTER_SETTINGS", ""),
        (drawn(job(bytes_max=1_000)), "POSTER_TOO_LARGE", ""),
    ):
        assert made.wholly is not None
        assert (reason, machine_id) == (made.wholly.reason, made.wholly.machine_id)
        assert made.wholly.sentence == str(made.wholly.error)
        assert (b"", []) == (made.content, made.printed)
