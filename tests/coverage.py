"""How much of the product the tests run through: ``make coverage``.

Flows in: the suite without its worlds and without separate processes, whose steps nobody counts
here. Flows out: what each part lacks, line by line, and exit status 1 if a part has less than it
must.
"""

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
COVERAGE = (sys.executable, "-m", "coverage")
TESTS = ("-m", "not slow and not e2e and not ray", "--ignore", "tests/simulation", "-n0")
SIDE_BY_SIDE = (("tests/gateway",), ("tests", "--ignore", "tests/gateway"))
"""Two halves of about the same length, one process each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A part of the product. ``least`` is the share of lines and branches, in percent, that the
    tests must run through.
    """

    name: str
    files: str
    but: str = ""
    least: int


PARTS = (
    Part(name="the core", files="actors/machine/*", least=100),
    Part(
        name="the Alipay client",
        files="alipay_client/*",
        but="alipay_client/simulator/*",
        least=100,
    ),
    Part(name="the write path of storage", files="storage/machines/*", least=100),
    Part(name="the gateway", files="gateway/*", least=0),
    Part(name="storage", files="storage/*", least=0),
    Part(name="actors", files="actors/*", least=0),
    Part(name="the pretend Alipay", files="alipay_client/simulator/*", least=0),
    Part(name="the whole", files="*", least=92),
)
"""Those with a least of 0 are shown and bind nobody."""


def main() -> int:
    """Entry point."""
    subprocess.run([*COVERAGE, "erase"], cwd=ROOT, check=True)
    halves = [
        subprocess.Popen(
            [*COVERAGE, "run", "--parallel-mode", "-m", "pytest", *TESTS, *half],
            cwd=ROOT,
        )
        for half in SIDE_BY_SIDE
    ]
    if sum(half.wait() for half in halves):
        print("the tests fail; nothing is measured", file=sys.stderr)
        return 1
    subprocess.run([*COVERAGE, "combine", "--quiet"], cwd=ROOT, check=True)
    return min(1, sum(_lacks(part) for part in PARTS))


def _lacks(part: Part) -> bool:
    shown = [f"--include={part.files}", *([f"--omit={part.but}"] if part.but else [])]
    asked = ["--precision=2", f"--fail-under={part.least}", "--skip-covered", "--show-missing"]
    print(f"\n{part.name}, at least {part.least} %:", flush=True)
    return (
        subprocess.run([*COVERAGE, "report", *shown, *asked], cwd=ROOT, check=False).returncode != 0
    )


if __name__ == "__main__":
    sys.exit(main())
