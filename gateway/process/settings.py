"""One ``Settings``: what an operator decides before the start.

Flows in: a TOML file (``--config`` or ``VENDGATE_CONFIG``) and above it the environment
(``VENDGATE_<SECTION>__<NAME>``); secrets come from files of their own. Flows out: one frozen value,
or a refusal with a sentence for each problem. Nothing else in the product reads the environment.
Relative paths in the file start at the file's own folder, those in the environment at the working
directory.
"""

import errno
import json
import os
import re
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from difflib import get_close_matches
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, Field, SecretStr, ValidationError
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
)

from gateway.process.files import content_of, decoded
from gateway.process.refusals import SettingsRefused
from gateway.process.sections import (
    Address,
    Admin,
    Alipay,
    ConsolePages,
    Database,
    Enrolment,
    File,
    FleetPolicy,
    Health,
    Http,
    Insight,
    Lake,
    Limits,
    Logs,
    Machines,
    Offers,
    Posters,
    Ray,
    Screens,
    Trace,
)
from gateway.process.texts import without_passwords

PREFIX = "VENDGATE_"
CONFIG_VARIABLE = "VENDGATE_CONFIG"
_PUBLIC_URL_VARIABLE = "VENDGATE_HTTP__PUBLIC_URL"
_FOR_TESTS = "VENDGATE_TEST_"
"""Variables of the test suite, which may be there while it starts gateways."""
_FILE_BYTES_MAX = 1_048_576
UNUSED_DAYS = 396
"""Thirteen months: who has not paid for longer is forgotten, unless the settings say otherwise."""


_KUBERNETES = {
    "PORT": r"(tcp|udp|sctp)://.*",
    "SERVICE_HOST": r"[0-9a-fA-F.:]+",
    "SERVICE_PORT(_[A-Z0-9_]+)?": r"\d+",
    r"PORT_\d+_(TCP|UDP|SCTP)": r"(tcp|udp|sctp)://.*",
    r"PORT_\d+_(TCP|UDP|SCTP)_PROTO": r"tcp|udp|sctp",
    r"PORT_\d+_(TCP|UDP|SCTP)_PORT": r"\d+",
    r"PORT_\d+_(TCP|UDP|SCTP)_ADDR": r"[0-9a-fA-F.:]+",
}
"""The variables of a Service (kubernetes.io, "environment variables" of the service page), and what
each holds.
"""


_BARE_LOGIN = re.compile(r"^([^\s/:@]+):.*@")


class Settings(BaseSettings):
    """All of it. Made by :func:`load`."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_nested_delimiter="__",
        extra="forbid",
        frozen=True,
        env_ignore_empty=False,
    )

    database: Database = Database()
    machines: Machines = Machines()
    admin: Admin = Admin()
    console: ConsolePages = ConsolePages()
    http: Http = Http()
    health: Health = Health()
    alipay: Alipay = Alipay()
    ray: Ray = Ray()
    policy: FleetPolicy = FleetPolicy()
    limits: Limits = Limits()
    lake: Lake = Lake()
    logs: Logs = Logs()
    posters: Posters = Posters()
    insight: Insight = Insight()
    offers: Offers = Offers()
    trace: Trace = Trace()
    screens: Screens = Screens()
    enrolment: Enrolment = Enrolment()
    payer_salt: SecretStr = SecretStr("")
    payer_salt_file: File | None = None
    payer_unused_days: int = Field(default=UNUSED_DAYS, ge=1, le=3_650)
    """Who has not paid for so long is forgotten."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 - the library's signature
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - the same
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - the same
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment stands above the file, which is handed in by :func:`load`."""
        return env_settings, init_settings

    @property
    def public_url(self) -> str:
        """The address under which Alipay reaches the HTTP server, without a slash at the end."""
        return (self.http.public_url or f"http://{self.http.listen}").rstrip("/")


def load(config_path: str | Path | None = None) -> Settings:
    """Read the file (None: the one that ``VENDGATE_CONFIG`` names, if any) and the environment.
    Raises SettingsRefused.
    """
    named = config_path or os.environ.get(CONFIG_VARIABLE)
    content = _file(Path(named)) if named else {}
    problems = list(_unknown_variables())
    try:
        settings = Settings(**content)
    except ValidationError as error:
        raise SettingsRefused(
            (*problems, *(_sentence(dict(one)) for one in error.errors()))
        ) from None
    except SettingsError as error:  # a list or a section in the environment that is not JSON
        raise SettingsRefused((*problems, _not_parsed(str(error)))) from None
    if problems:
        raise SettingsRefused(tuple(problems))
    return settings


def _not_parsed(error: str) -> str:
    """Return the sentence for a variable; the library names the section or the field alone."""
    named = re.search(r'field "(\w+)"', error)
    variable = f"VENDGATE_{named[1].upper()}" if named else ""
    # The library reads them in whatever case they are.
    there = [name for name in sorted(os.environ) if variable and name.upper() == variable]
    if there:
        return (
            f"{there[0]} is a section, not a value: unset it (Docker and Kubernetes set such a "
            f"variable for a service of that name), and set {variable}__ and a name in it."
        )
    found = " ".join(_not_json(f"{variable}__")) if variable else ""
    return found or f"{error}: lists are written as [1000, 2000]."


def _not_json(prefix: str) -> Iterator[str]:
    """Yield a sentence for each variable of the section that should be a list or a section."""
    for name, value in sorted(os.environ.items()):
        *path, last = name[len(PREFIX) :].lower().split("__")
        ours = name.upper().startswith(prefix)
        field = _model_at(path).model_fields.get(last) if ours else None
        if field is None:
            continue
        if _model_at([*path, last]) is not _model_at(path):
            yield f"{name} is a section, not a value: unset it, and set {name}__ and a name in it."
        elif "tuple" in str(field.annotation) and not _is_json(value):
            yield f'{name}: lists are written as [1000, 2000] or ["RSA2"].'


def _is_json(text: str) -> bool:
    with suppress(ValueError):
        json.loads(text)
        return True
    return False


def config_path(given: str | None) -> str | None:
    """Return the absolute path of the file that :func:`load` would read; for processes that start
    elsewhere.
    """
    named = given or os.environ.get(CONFIG_VARIABLE)
    return str(Path(named).absolute()) if named else None


@contextmanager
def with_http_port(settings: Settings, port: int) -> Iterator[Settings]:
    """Yield the settings with the public URL that a port chosen by the system gives, if they name
    none themselves.

    It is put into the environment while the block lasts: host processes that are started meanwhile
    read their settings there, and make notify URLs of it.
    """
    if settings.http.public_url or settings.http.address.port:
        yield settings
        return
    url = f"http://{Address(host=settings.http.address.host, port=port)}"
    os.environ[_PUBLIC_URL_VARIABLE] = url
    try:
        yield settings.model_copy(
            update={"http": settings.http.model_copy(update={"public_url": url})}
        )
    finally:
        del os.environ[_PUBLIC_URL_VARIABLE]


def _content(path: Path) -> bytes:
    read = content_of(path, most=_FILE_BYTES_MAX)
    if len(read) > _FILE_BYTES_MAX:
        raise OSError(errno.EFBIG, f"it has more than {_FILE_BYTES_MAX} bytes")
    return read


_OURS_BESIDE = (
    ("ray", "run_dir", "ray"),
    ("lake", "folder", "lake"),
    ("screens", "folder", "assets"),
)
"""Folders that are beside the configuration file unless something else is said: section, setting,
and what they are called. Otherwise each command would have its own, wherever it is called.
"""


def _file(path: Path) -> dict[str, Any]:
    try:
        # Notepad's mark, PowerShell's UTF-16, and a comment in whatever code page are no reason
        # to refuse it; a value that is not UTF-8 would be another one than was written.
        text = decoded(_content(path), otherwise="surrogateescape")
        if "\0" in text:
            raise SettingsRefused((_not_utf_8(path),))
        content = tomllib.loads(text.replace("\r\n", "\n"))
        json.dumps(content, ensure_ascii=False, default=str).encode()
    except OSError as error:
        raise SettingsRefused(
            (
                (
                    f"The configuration file {path} cannot be read ({error.strerror}); name "
                    "another with --config."
                ),
            )
        ) from None
    except UnicodeEncodeError:
        raise SettingsRefused(
            (f"The configuration file {path} is not UTF-8 in a value: save it as UTF-8.",)
        ) from None
    except tomllib.TOMLDecodeError as error:
        raise SettingsRefused((f"The configuration file {path} is not TOML: {error}.",)) from None
    folder = path.absolute().parent
    content = _anchored(content, folder)
    for section, name, ours in _OURS_BESIDE:
        if isinstance(table := content.setdefault(section, {}), dict):
            table.setdefault(name, str(folder / ours))
    return content


def _not_utf_8(path: Path) -> str:
    return (
        f"The configuration file {path} has NUL characters in it, as UTF-16 without a mark at its "
        "beginning has: save it as UTF-8."
    )


def _anchored(table: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Let relative paths of the file start at its folder."""
    anchored: dict[str, Any] = {}
    for name, value in table.items():
        if isinstance(value, dict):
            anchored[name] = _anchored(value, folder)
        elif isinstance(value, str) and name.endswith(("_file", "_dir", "folder")):
            anchored[name] = str(folder / Path(value).expanduser())
        elif isinstance(value, str) and name == "url" and value.startswith("sqlite"):
            anchored[name] = anchored_sqlite(value, folder)
        else:
            anchored[name] = value
    return anchored


def anchored_sqlite(url: str, folder: Path) -> str:
    """Let a relative SQLite URL (three slashes) start at ``folder``."""
    scheme, separator, path = url.partition(":///")
    if not separator or not path or path.startswith((":memory:", "/", "?")):
        return url
    return f"{scheme}:///{folder / path}"


def _unknown_variables() -> Iterator[str]:
    # The library reads them in whatever case they are, so none is passed over for its case.
    for name in sorted(os.environ):
        first = name[len(PREFIX) :].split("__")[0].lower()
        if (
            name.upper().startswith(PREFIX)
            and name != CONFIG_VARIABLE
            and not name.startswith(_FOR_TESTS)
            and first not in Settings.model_fields
            and not _of_kubernetes(name, os.environ[name])
        ):
            yield (
                f"The environment has {name}, and there is no setting or table "
                f"{first!r}{_near(first, Settings)}"
            )


def _of_kubernetes(name: str, value: str) -> bool:
    """Return whether Kubernetes put it there, as it does for each Service whose name begins with
    ours: where the Service is, and nothing that anybody decided about this program.
    """
    return any(
        re.fullmatch(rf"{PREFIX}([A-Z0-9_]+_)?{ending}", name) and re.fullmatch(form, value)
        for ending, form in _KUBERNETES.items()
    )


def _near(name: str, model: type[BaseModel]) -> str:
    close = get_close_matches(name, model.model_fields, n=1)
    return (
        f"; did you mean {close[0]!r}?"
        if close
        else f"; known are {', '.join(model.model_fields)}."
    )


def _sentence(error: dict[str, Any]) -> str:
    """Turn one error of the library into a sentence that names the setting, in the file's and the
    environment's spelling.
    """
    path = [str(part) for part in error["loc"]]
    name = ".".join(path)
    if error["type"] == "extra_forbidden":
        return f"{name} is not a setting{_near(path[-1], _model_at(path[:-1]))}"
    message = error["msg"].removeprefix("Value error, ").removeprefix("Input should ").rstrip(".")
    if not error["msg"].startswith("Value error, "):
        message = f"should {message}" if error["msg"].startswith("Input should ") else message
    return f"{name}: {message} (in the environment: {PREFIX}{'__'.join(path).upper()})."


def _model_at(path: list[str]) -> type[BaseModel]:
    model: type[BaseModel] = Settings
    for part in path:
        field = model.model_fields.get(part)
        kinds = [] if field is None else [field.annotation, *get_args(field.annotation)]
        inner = [kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel)]
        if not inner:
            break
        model = inner[0]
    return model


def shown(settings: Settings) -> list[str]:
    """Return one line ``name = value`` for each setting, secrets as ``***``."""
    return [f"{name} = {value}" for name, value in _flat("", settings)]


def _flat(prefix: str, model: BaseModel) -> Iterator[tuple[str, str]]:
    for name in type(model).model_fields:
        value = getattr(model, name)
        if isinstance(value, BaseModel):
            yield from _flat(f"{prefix}{name}.", value)
        elif isinstance(value, SecretStr):
            secret = value.get_secret_value()
            yield (
                f"{prefix}{name}",
                json.dumps(_masked(secret) if name == "url" else "***" if secret else ""),
            )
        else:
            if isinstance(value, dict):
                value = {key: sorted(roles) for key, roles in value.items()}
            # A URL whose scheme was forgotten may have a password all the same.
            bare = isinstance(value, str) and "://" not in value
            shown_value = _BARE_LOGIN.sub(r"\1:***@", value) if bare else value
            yield f"{prefix}{name}", without_passwords(json.dumps(shown_value, default=str))


def _masked(url: str) -> str:
    """Hide a URL's password, and its query, where some drivers take one too."""
    scheme, separator, rest = url.partition("://")
    if not separator:
        return "***"
    before_query, _, query = rest.partition("?")
    login, at, place = before_query.rpartition("@")
    return "".join(
        (
            scheme,
            "://",
            f"{login.partition(':')[0]}:***@" if at else "",
            place,
            "?***" if query else "",
        )
    )
