"""grpcurl's command line, as far as the documents use it, carried out by ``buf curl``."""

import json
import re
import subprocess
import sys


def as_buf_reads(data: str) -> str:
    """Write a field mask as ProtoJSON has it; grpcurl takes it as the message that it is."""
    request = json.loads(data)
    if isinstance(mask := request.get("update_mask"), dict):
        paths = (re.sub("_([a-z])", lambda m: m[1].upper(), path) for path in mask["paths"])
        request["update_mask"] = ",".join(paths)
    return json.dumps(request)


def main(words: list[str]) -> int:
    """Run the call and return its status."""
    call = ["buf", "curl", "--protocol", "grpc", "--http2-prior-knowledge", "--emit-defaults=false"]
    places: list[str] = []
    scheme = "http"
    while words:
        word = words.pop(0)
        match word:
            case "-plaintext" | "-emit-defaults":
                pass
            case "-d":
                data = words.pop(0)
                call += ["-d", "@-" if data == "@" else as_buf_reads(data)]
            case "-H":
                call += ["-H", words.pop(0)]
            case "-cacert" | "-cert" | "-key":
                call += [f"-{word}", words.pop(0)]
                scheme = "https"
            case "-max-time":
                call += ["--timeout", f"{words.pop(0)}s"]
            case _:
                places.append(word)
    address, *rest = places
    if address.startswith("unix:"):
        call += ["--unix-socket", address.removeprefix("unix:")]
        address = "localhost"
    match rest:
        case ["list"]:
            call += ["--list-services", f"{scheme}://{address}"]
        case ["list", _]:
            call += ["--list-methods", f"{scheme}://{address}"]
        case [method]:
            call += [] if "-d" in call else ["-d", "{}"]
            call += [f"{scheme}://{address}/{method}"]
        case _:
            sys.exit(f"the stand-in does not know: {places}")
    return subprocess.run(call).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
