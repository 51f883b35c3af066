"""The sound books of the audits' tests."""

from tests.storage.auditing.conftest import (
    sound,
    sound_file,
    sound_postgres,
    sound_url,
)

__all__ = ["sound", "sound_file", "sound_postgres", "sound_url"]
