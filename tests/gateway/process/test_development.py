"""A folder in which a developer can start."""

from pathlib import Path

from gateway.process import configs, development, settings


def test_what_is_written_is_accepted(tmp_path: Path) -> None:
    """The configuration passes its own checks, and secrets are for their owner alone."""
    path, new = development.make_installation(tmp_path / "run")
    made = configs.configs(settings.load(path))
    assert new
    assert f"http://127.0.0.1:{development.SIMULATOR_PORT}/gateway.do" == made.alipay.gateway_url
    assert tmp_path / "run" / "ray" == settings.load(path).ray.run_dir
    assert tmp_path / "run" / "lake" == settings.load(path).lake.folder
    for name in ("merchant_private_key.pem", "alipay_private_key.pem", "payer_salt"):
        assert 0o600 == (path.parent / name).stat().st_mode & 0o777


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    """A second time keeps keys, salt and what the developer changed."""
    path, _ = development.make_installation(tmp_path)
    path.write_text(path.read_text() + "# mine\n")
    before = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    assert (path, False) == development.make_installation(tmp_path)
    assert before == {file.name: file.read_bytes() for file in tmp_path.iterdir()}


def test_half_a_pair_is_made_anew(tmp_path: Path) -> None:
    """A private key without its public half fits nothing."""
    keys = development.make_keys(tmp_path)
    keys.merchant_public.unlink()
    before = keys.merchant_private.read_bytes()
    development.make_keys(tmp_path)
    assert before != keys.merchant_private.read_bytes()
    assert keys.merchant_public.exists()
