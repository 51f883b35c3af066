"""The machines' protocol in the languages that firmware is written in: what is installed here is
tried, what is not is said.

The generators for Java, C#, C++ and nanopb come with the development environment. Their libraries
come with nobody's Python: what they compile is compiled where gcc, go or javac find them. C, Java
and Go then read frames.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import json_format, text_format
from google.protobuf.descriptor import FieldDescriptor

from gateway.machines.bounds import BYTES_MAX, COUNT_MAX
from gateway.v1.machine_service_pb2 import ConnectRequest, ConnectResponse
from tests.support.conversations import FRAMES, fixtures

ROOT = Path(__file__).resolve().parents[2]
PROTOS = ("gateway/v1/machine.proto", "gateway/v1/machine_service.proto")
PATH = os.pathsep.join(
    [str(Path(sys.executable).parent), os.environ.get("PATH", ""), str(Path.home() / "go" / "bin")]
)
FIELD = FieldDescriptor
BRIEF = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC")
"""What halves the cost of a Java program that ends after seconds: less is optimized."""


def tool(name: str) -> str:
    """Where the tool is; without it the test is skipped, and says so."""
    found = shutil.which(name, path=PATH)
    if found is None:
        pytest.skip(f"{name} is not installed")
    return found


def run(*command: str | Path, cwd: Path | None = None, **environment: str) -> str:
    """Run a tool that must succeed, and return what it printed; with all it said if it does not."""
    done = subprocess.run(
        command,
        cwd=cwd,
        env={**os.environ, "PATH": PATH, **environment},
        capture_output=True,
        text=True,
    )
    assert 0 == done.returncode, done.stdout + done.stderr
    return done.stdout


def generated(language: str, target: Path, *options: str) -> list[str]:
    """Have protoc write code, and return the names of the files."""
    run(tool("protoc"), f"-I{ROOT / 'protos'}", f"--{language}_out={target}", *options, *PROTOS)
    return sorted(str(path.relative_to(target)) for path in target.rglob("*") if path.is_file())


# --- Java, C#, C++, Go ---


def test_csharp(tmp_path: Path) -> None:
    """C# code lies in the namespace of its option."""
    assert ["Machine.cs", "MachineService.cs"] == generated("csharp", tmp_path)
    assert "namespace Vendgate.Gateway.V1 {" in (tmp_path / "Machine.cs").read_text()


def test_cpp(tmp_path: Path) -> None:
    """C++ code lies beside the protos' paths and in their namespace."""
    assert [
        f"gateway/v1/machine{part}.pb.{kind}" for part in ("", "_service") for kind in ("cc", "h")
    ] == generated("cpp", tmp_path)
    assert (
        "namespace gateway {\nnamespace v1 {" in (tmp_path / "gateway/v1/machine.pb.h").read_text()
    )


def test_java(tmp_path: Path) -> None:
    """Java code has a file for each message in the package of its option."""
    assert {
        f"vendgate/gateway/v1/{name}.java"
        for name in ("Hello", "ShowQr", "ConnectRequest", "MachineProto", "MachineServiceProto")
    } <= {*generated("java", tmp_path)}


def numbers(version: str) -> list[int]:
    """Return a version as what can be compared."""
    return [int(number) for number in re.findall(r"\d+", version)]


def protobuf_jar(wanted: str) -> Path:
    """Return the newest library that bears code of the wanted version; without it, skip."""
    artifact = "com.google.protobuf:protobuf-java"
    major = wanted.partition(".")[0]
    folder = Path.home() / ".m2/repository/com/google/protobuf/protobuf-java"
    newest = max(
        folder.glob(f"{major}.*/protobuf-java-{major}.*[0-9].jar"),
        key=lambda path: numbers(path.parent.name),
        default=None,
    )
    if newest is None or numbers(newest.parent.name) < numbers(wanted):
        pytest.skip(
            f"not compiled: no {artifact} {major}, {wanted} or later, in Maven's repository; this "
            f"brings it: mvn dependency:get -Dtransitive=false -Dartifact={artifact}:{wanted}"
        )
    return newest


def test_java_reads_the_worked_conversations(tmp_path: Path) -> None:
    """The generated Java compiles without a warning, reads each frame of docs/frames from the bytes
    on the wire as its JSON says it, and writes the same bytes.
    """
    names = generated("java", tmp_path)
    made_by = re.search(
        r"^// Protobuf Java Version: ([\d.]+)$",
        (tmp_path / "vendgate/gateway/v1/Hello.java").read_text(),
        re.MULTILINE,
    )
    assert made_by is not None
    jar = protobuf_jar(made_by[1])
    java, javac = tool("java"), tool("javac")
    strict = ("-Xlint:all", "-Werror", *(f"-J{option}" for option in BRIEF))
    reader = ROOT / "tests/protos/ReadFrames.java"
    run(javac, *strict, "-cp", jar, "-d", "classes", reader, *names, cwd=tmp_path)
    path = f"{jar}{os.pathsep}classes"
    lines = run(java, *BRIEF, "-cp", path, "ReadFrames", *pairs(), cwd=tmp_path).splitlines()

    assert told_alike(lines) == len(lines)


def module(folder: Path) -> tuple[str, dict[str, str]]:
    """Generate Go code as a module of its own; return the compiler, and what it needs of the
    surroundings. Without Go's protobuf, or a plug-in that its library bears, skip.
    """
    tool("protoc-gen-go")
    assert ["gateway/v1/machine.pb.go", "gateway/v1/machine_service.pb.go"] == generated(
        "go", folder, "--go_opt=module=vendgate"
    )
    go = tool("go")
    made_by = re.search(
        r"^// \tprotoc-gen-go v([\d.]+)$",
        (folder / "gateway/v1/machine.pb.go").read_text(),
        re.MULTILINE,
    )
    assert made_by is not None
    library = "google.golang.org/protobuf"
    cache = Path(run(go, "env", "GOMODCACHE").strip())
    versions = [
        path.name.partition("@v")[2] for path in (cache / "google.golang.org").glob("protobuf@v1.*")
    ]
    newest = max(versions, key=numbers, default="0")
    if numbers(newest) < numbers(made_by[1]):
        pytest.skip(
            f"generated; not compiled: {library} {made_by[1]} or later is not in Go's module "
            f"cache; in a module of Go this brings it: go get {library}@v{made_by[1]}"
        )
    (folder / "go.mod").write_text(f"module vendgate\n\ngo 1.23\n\nrequire {library} v{newest}\n")
    return go, {"GOFLAGS": "-mod=mod", "GOPROXY": "off", "GOSUMDB": "off", "GOTOOLCHAIN": "local"}


def test_go(tmp_path: Path) -> None:
    """Go code lies in the package of its option, and compiles where Go's protobuf is at hand."""
    go, around = module(tmp_path)
    assert "\npackage gatewayv1\n" in (tmp_path / "gateway/v1/machine.pb.go").read_text()
    run(go, "build", "./...", cwd=tmp_path, **around)


def test_go_reads_the_worked_conversations(tmp_path: Path) -> None:
    """The generated Go reads each frame of docs/frames from the bytes on the wire as its JSON says
    it, and writes the same bytes.
    """
    go, around = module(tmp_path)
    shutil.copy(ROOT / "tests/protos/ReadFrames.go", tmp_path / "main.go")
    run(go, "vet", ".", cwd=tmp_path, **around)
    run(go, "build", "-o", "read", ".", cwd=tmp_path, **around)

    lines = run(tmp_path / "read", *pairs()).splitlines()

    assert told_alike(lines) == len(lines)


def pairs() -> list[str | Path]:
    """Return what ReadFrames is called with: each conversation, and who says its frames."""
    return [
        argument
        for name, told in fixtures().items()
        for argument in (FRAMES / f"{name}.bin", ",".join(each["from"] for each in told))
    ]


def told_alike(lines: list[str]) -> int:
    """Hold each line in protobuf's text format to the JSON of its frame; return how many there
    are.
    """
    frames = [(name, each) for name, told in fixtures().items() for each in told]
    assert len(frames) == len(lines)
    for (name, each), line in zip(frames, lines, strict=True):
        kind = ConnectRequest if "machine" == each["from"] else ConnectResponse
        read = json_format.MessageToDict(text_format.Parse(line, kind()))
        assert each["frame"] == read, f"{name} at byte {each['offset']}"
    return len(frames)


# --- nanopb ---


def nanopb(protos: Path, target: Path) -> str:
    """Have nanopb write code, and return its headers."""
    target.mkdir()
    run(tool("nanopb_generator"), "-q", "-I", protos, "-D", target, *PROTOS)
    return "".join(path.read_text() for path in sorted(target.rglob("*.h")))


def promised() -> dict[str, tuple[int, int]]:
    """The sizes that docs/firmware.md tells: of the struct in memory and of the longest
    encoding, by message.
    """
    rows = re.findall(
        r"^\| `(\w+)` \| ([\d ]+) \| ([\d ]+) \|",
        (ROOT / "docs/firmware.md").read_text(),
        re.MULTILINE,
    )
    return {
        name: (int(memory.replace(" ", "")), int(wire.replace(" ", "")))
        for name, memory, wire in rows
    }


def test_nanopb_needs_no_callbacks(tmp_path: Path) -> None:
    """Without the options each text and list is a callback; with them none is, and the longest
    frames are as long as the guide says.
    """
    bare = tmp_path / "bare"
    shutil.copytree(
        ROOT / "protos/gateway", bare / "gateway", ignore=shutil.ignore_patterns("*.options")
    )
    assert len(BYTES_MAX) + len(COUNT_MAX) == nanopb(bare, tmp_path / "without").count(
        "pb_callback_t"
    )
    headers = nanopb(ROOT / "protos", tmp_path / "with")
    assert "pb_callback_t" not in headers
    longest = {
        name: int(size)
        for name, size in re.findall(r"#define gateway_v1_(\w+)_size +(\d+)", headers)
    }
    assert {"ConnectRequest", "ConnectResponse"} <= promised().keys()
    assert {name: longest[name] for name in promised()} == {
        name: wire for name, (_, wire) in promised().items()
    }


@pytest.fixture(scope="module")
def firmware(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program of ``echo.c``, compiled with nanopb's code and library."""
    gcc = tool("gcc")
    made = tmp_path_factory.mktemp("nanopb")
    (made / "probe.c").write_text(
        "#include <pb_decode.h>\nint main(void) { return pb_decode == 0; }\n"
    )
    if (
        subprocess.run(
            [gcc, "probe.c", "-lprotobuf-nanopb"], cwd=made, capture_output=True
        ).returncode
        != 0
    ):
        pytest.skip(
            "gcc finds no nanopb library (pb_decode.h, libprotobuf-nanopb; Debian: libnanopb-dev)"
        )
    nanopb(ROOT / "protos", made / "code")
    sizes = " ".join(f"SIZE({name})" for name in promised())
    sources = [ROOT / "tests/protos/echo.c", *sorted((made / "code").rglob("*.c"))]
    run(
        gcc,
        "-std=c99",
        "-Wall",
        "-Wextra",
        "-Werror",
        f"-DSIZES={sizes}",
        "-Icode",
        *sources,
        "-lprotobuf-nanopb",
        "-o",
        "echo",
        cwd=made,
    )
    return made / "echo"


def test_nanopb_structs_are_as_large_as_the_guide_says(firmware: Path) -> None:
    """A firmware engineer can plan memory from the guide (64 bits; the table says so)."""
    said = subprocess.run([firmware], check=True, capture_output=True, text=True).stdout
    assert {name: memory for name, (memory, _) in promised().items()} == {
        name: int(size) for name, size in (line.split() for line in said.splitlines())
    }


def fill(message: Any, longer: str = "") -> None:
    """Give each field its largest value; the text that is called ``longer`` gets one byte more."""
    for field in message.DESCRIPTOR.fields:
        name = f"{field.containing_type.name}.{field.name}"
        if field.is_repeated:
            for _ in range(COUNT_MAX[name]):
                fill(getattr(message, field.name).add(), longer)
        elif field.message_type is not None:
            getattr(message, field.name).SetInParent()
            fill(getattr(message, field.name), longer)
        elif field.type == FIELD.TYPE_STRING:
            setattr(message, field.name, "x" * (BYTES_MAX[name] + (name == longer)))
        else:
            setattr(
                message,
                field.name,
                {
                    FIELD.TYPE_UINT64: 2**64 - 1,
                    FIELD.TYPE_INT64: -1,
                    FIELD.TYPE_UINT32: 2**32 - 1,
                }.get(field.type, 1),
            )


@pytest.mark.parametrize("frame_type", [ConnectRequest, ConnectResponse])
def test_nanopb_understands_the_longest_frames(firmware: Path, frame_type: Any) -> None:
    """With every field at its bound, what nanopb decodes and encodes again is the same frame,
    and no longer than the guide says.
    """
    name = frame_type.DESCRIPTOR.name
    for payload in frame_type.DESCRIPTOR.oneofs_by_name["payload"].fields:
        frame = frame_type(seq=2**64 - 1, ack=2**64 - 1)
        getattr(frame, payload.name).SetInParent()
        fill(getattr(frame, payload.name))
        encoded = frame.SerializeToString()
        assert len(encoded) <= promised()[name][1]
        echoed = subprocess.run(
            [firmware, name], input=encoded, check=True, capture_output=True
        ).stdout
        assert frame == frame_type.FromString(echoed), payload.name


def test_nanopb_has_no_room_for_more(firmware: Path) -> None:
    """One byte beyond a bound and the whole frame is lost on the machine: why no such frame may
    leave.
    """
    frame = ConnectResponse(seq=1)
    fill(frame.show_qr, longer="ShowQr.qr_payload")
    done = subprocess.run(
        [firmware, "ConnectResponse"], input=frame.SerializeToString(), capture_output=True
    )
    assert (1, b"string overflow\n") == (done.returncode, done.stderr)
