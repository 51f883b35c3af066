"""The rules that hold in each frame, whatever is played: they are judged over the whole run."""

from gateway.certify import judges_of_all as whole
from gateway.certify import plays_of_streams as stream_plays
from gateway.certify import plays_of_vends as vend_plays
from gateway.certify.rule import CHOOSE, DISPENSING, IDENTITY, NUMBERS, SELLING, STREAM, Rule

OF_ALL: tuple[Rule, ...] = (
    Rule("hello", "Each stream begins with Hello, then waits for Welcome.", STREAM, whole.hellos),
    Rule(
        "boot-ids",
        "A boot_id is never used again, also after the flash was erased.",
        IDENTITY,
        whole.boots,
        shows=stream_plays.number_reused,
    ),
    Rule(
        "reader",
        "The first numbered frame of a boot is ReaderEnable or ReaderDisable.",
        STREAM,
        whole.readers,
    ),
    Rule(
        "numbers",
        "Frames count 1, 2, 3 from each boot, and a number means one frame.",
        NUMBERS,
        whole.numbers,
    ),
    Rule(
        "acknowledgements",
        "What the machine acknowledges was said on that stream.",
        NUMBERS,
        whole.acknowledgements,
    ),
    Rule(
        "bounds",
        "Each text, list, id and number keeps its bound.",
        "code-in-your-language",
        whole.fields,
    ),
    Rule(
        "rate",
        "No more than 50 frames a second are sent over time, and no more than 200 at once.",
        NUMBERS,
        whole.rates,
    ),
    Rule(
        "evidence",
        "No result is denied by its own sensors.",
        DISPENSING,
        whole.evidence,
        needs=CHOOSE,
        shows=vend_plays.pay_first,
    ),
    Rule(
        "request-ids",
        "A request_id is never used again.",
        SELLING,
        whole.requests,
        needs=CHOOSE,
        shows=vend_plays.two_choices,
    ),
)
