"""How Alipay is reached and with which keys, as the settings' table says."""

from pathlib import Path

from gateway.process.configs import configs
from gateway.process.settings import load
from tests.alipay_client.wire import Pair, public_pem
from tests.support import installed


def test_the_files_are_followed_and_may_hold_two(tmp_path: Path, pair: Pair) -> None:
    """Two keys of Alipay's and two salts, the ones in use first, and what both lines were
    when they were one salt; each file that may change is among
    those that are looked at, and reading again gives the same.
    """
    path = installed.write(tmp_path, installed.good(tmp_path, pair))
    (tmp_path / "alipay.pem").write_text(public_pem(pair.alipay) * 2)
    (tmp_path / "salt").write_text(f"{installed.SALT}\n{'another' * 4}\n")
    made = configs(load(path))
    assert (pair.alipay.public_key(),) == made.keys.other_public_keys
    assert installed.SALT.encode() == made.payer_salt
    other, of_both = made.other_payer_salts
    assert (b"another" * 4, installed.SALT.encode() + b"\n" + other) == (other, of_both)
    assert made.rotating is not None
    assert ["salt", "merchant.pem", "alipay.pem"] == [file.name for file in made.rotating.files]
    assert made == made.rotating.read()
