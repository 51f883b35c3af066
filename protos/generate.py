"""Regenerates ``gateway/**/v1`` from ``protos/gateway/**/v1``.

Flows in: the .proto files. Flows out: message classes, their type stubs and the gRPC stubs, ready
to import as they come because the proto package is the Python package. ``--check`` writes nothing
and fails when the committed code is not what would be made.
"""

import argparse
import sys
import tempfile
from pathlib import Path

import grpc_tools
from grpc_tools import protoc

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = (
    Path("gateway") / "v1",
    Path("gateway") / "fleet" / "v1",
    Path("gateway") / "office" / "v1",
)
WELL_KNOWN = Path(grpc_tools.__file__).parent / "_proto"


def generate(target: Path) -> None:
    """Write the generated packages below ``target``."""
    sources = sorted(
        str(path.relative_to(ROOT / "protos"))
        for package in PACKAGES
        for path in (ROOT / "protos" / package).glob("*.proto")
    )
    for package in PACKAGES:
        (target / package).mkdir(parents=True, exist_ok=True)
    # Named by their place, so that no activated environment is needed to find them.
    scripts = Path(sys.executable).parent
    plugins = [
        f"--plugin=protoc-gen-{kind}={scripts / f'protoc-gen-{kind}'}"
        for kind in ("mypy", "mypy_grpc")
    ]
    outputs = [
        f"--{kind}_out=quiet:{target}" if "mypy" in kind else f"--{kind}_out={target}"
        for kind in ("python", "mypy", "grpc_python", "mypy_grpc")
    ]
    status = protoc.main(
        ["protoc", f"-I{ROOT / 'protos'}", f"-I{WELL_KNOWN}", *plugins, *outputs, *sources]
    )
    if status != 0:
        sys.exit(f"protoc failed with status {status}")
    for package in PACKAGES:
        (target / package / "__init__.py").write_text(
            f'"""Generated from protos/{package}. Never edited."""\n'
        )


def contents(root: Path) -> dict[str, str]:
    """Return path and text of each generated file below ``root``."""
    return {
        str(path.relative_to(root)): path.read_text()
        for package in PACKAGES
        for path in sorted((root / package).glob("*.py*"))
        if path.is_file()
    }


def main() -> None:
    """Generate, or with ``--check`` compare."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--check", action="store_true", help="write nothing; fail if the committed code differs"
    )
    if not parser.parse_args().check:
        generate(ROOT)
        return
    with tempfile.TemporaryDirectory() as scratch:
        generate(Path(scratch))
        made, committed = contents(Path(scratch)), contents(ROOT)
    stale = sorted(
        name for name in made.keys() | committed.keys() if made.get(name) != committed.get(name)
    )
    if stale:
        sys.exit(
            f"not what protos/ says: {', '.join(stale)}; run 'make proto' and commit the result"
        )


if __name__ == "__main__":
    main()
