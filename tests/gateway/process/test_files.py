"""Files of operators: in whatever form an editor leaves them, and never open to everybody."""

import os
from pathlib import Path

import pytest

from gateway.process.files import Problems, decoded
from gateway.process.refusals import SettingsRefused
from gateway.process.settings import load

PEM = "-----BEGIN X-----\nAAAA\n-----END X-----"


@pytest.mark.parametrize(
    "content",
    [
        b"\xef\xbb\xbf" + PEM.encode(),
        PEM.encode("utf-16"),
        b"\xfe\xff" + PEM.encode("utf-16-be"),
        "# Schlüssel des Händlers\n".encode() + PEM.encode(),
        "# Schlüssel des Händlers\n".encode("latin-1") + PEM.encode(),
        "# 商户私钥\n".encode("gbk") + PEM.encode(),
        PEM.replace("\n", "\r\n").encode(),
    ],
)
def test_a_key_is_read_whatever_wrote_it(tmp_path: Path, content: bytes) -> None:
    """A mark at its beginning, UTF-16, a comment in any tongue."""
    path = tmp_path / "key"
    path.write_bytes(content)
    problems = Problems()
    text = problems.pem("name", path).replace("\r", "")
    assert text.endswith(PEM)
    assert not text.startswith("\ufeff")
    assert [] == problems.sentences


@pytest.mark.parametrize("content", [b"", b" \n", b"\0\0\0", b"x" * 65_537])
def test_what_is_no_text_is_a_sentence(tmp_path: Path, content: bytes) -> None:
    """Nothing, bytes, too much."""
    path = tmp_path / "key"
    path.write_bytes(content)
    problems = Problems()
    assert "" == problems.pem("name", path)
    (sentence,) = problems.sentences
    assert "is empty, too large or not text" in sentence


@pytest.mark.parametrize(
    ("mode", "open_to_others"),
    [(0o600, False), (0o400, False), (0o440, False), (0o640, False), (0o644, True), (0o660, True)],
)
def test_what_is_private_is_not_for_everybody(
    tmp_path: Path, mode: int, open_to_others: bool
) -> None:
    """A group may read it, as Kubernetes has it; nobody else may, and nobody else may write it."""
    path = tmp_path / "key"
    path.write_text("secret")
    path.chmod(mode)
    problems = Problems()
    assert "secret" == problems.secret("name", path)
    assert open_to_others == bool(problems.sentences)
    assert [] == [one for one in problems.sentences if "chmod 600" not in one]


def test_a_secret_is_plain(tmp_path: Path) -> None:
    """A mark is no part of it, and a letter that looks like another one is refused."""
    path = tmp_path / "salt"
    path.write_bytes(b"\xef\xbb\xbf0123456789abcdef\r\n")
    path.chmod(0o600)
    problems = Problems()
    assert "0123456789abcdef" == problems.secret("name", path)
    path.write_text("0123456789аbcdef")  # Cyrillic
    assert "" == problems.secret("name", path)
    assert "holds more than plain letters" in problems.sentences[0]


def test_the_last_resort_is_named() -> None:
    """Bytes that are not UTF-8 are kept to be found, or read as one of the codecs."""
    assert "\udcfc" == decoded(b"\xfc", otherwise="surrogateescape")
    assert "ü" == decoded(b"\xfc", otherwise="latin-1")


@pytest.mark.parametrize("kind", ["pipe", "device", "folder"])
def test_what_is_no_file_is_a_sentence(tmp_path: Path, kind: str) -> None:
    """A pipe that nobody writes to and a device without an end hang nothing; a link to a file is
    one, as Kubernetes has it.
    """
    path = tmp_path / "key"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "device":
        path.symlink_to("/dev/zero")
    else:
        path.mkdir()
    problems = Problems()
    assert "" == problems.pem("name", path)
    (sentence,) = problems.sentences
    assert "it is not a regular file" in sentence
    with pytest.raises(SettingsRefused, match="not a regular file"):
        load(str(path))
    (tmp_path / "real").write_text(PEM)
    path = tmp_path / "link"
    path.symlink_to("real")
    assert PEM == Problems().pem("name", path)


def test_a_configuration_without_an_end_is_refused(tmp_path: Path) -> None:
    """Nobody writes one of a mebibyte."""
    path = tmp_path / "vendgate.toml"
    path.write_text("#" * 1_048_577)
    with pytest.raises(SettingsRefused, match="more than 1048576 bytes"):
        load(str(path))
