"""What administrators ask, checked: request messages in, values of the core and the registry out,
or all problems at once.

The limits are those that ``protos/gateway/fleet/v1`` documents, field by field.
"""

import re
from collections.abc import Collection, Sequence
from typing import Protocol, Self

import iso3166
from google.protobuf.timestamp_pb2 import Timestamp

from actors.machine.ids import MACHINE_ID_PATTERN, MACHINE_ID_WORDS, Currency, MachineId
from actors.machine.policy import AMOUNT_MINOR_MAX, BOUNDS, PolicyOverrides
from actors.machine.state import Column, Mode
from alipay_client.currencies import SETTLED
from gateway.fleet import enums, pages
from gateway.fleet.errors import invalid
from gateway.fleet.v1 import fleet_service_pb2, machine_pb2
from gateway.rpc.statuses import FieldProblem
from gateway.v1 import machine_pb2 as machines_wire
from storage.fleet.joining import NewMachine

COLUMNS_MAX = 128
CAPACITY_MAX = 9_999
REASON_LENGTH_MAX = 500
ID_LENGTH_MAX = 128
COLUMN_BYTES_MAX = 16
ETAG_LENGTH_MAX = 64
PLACE_LENGTH_MAX = 64
PATHS_SHOWN, PATH_SHOWN_MAX = 5, 40
"""What a refusal repeats of paths that no mask may name, and of each."""
TIME_MS_MAX = 253_402_300_800_000
"""The end of the year 9999, where Timestamp ends."""

_MACHINE_ID = re.compile(MACHINE_ID_PATTERN)
_MODE = enums.descriptor_of(machines_wire.Mode)
_LIMITS = PolicyOverrides.__struct_fields__


class Paged(Protocol):
    """A request for a page of a list."""

    @property
    def page_size(self) -> int:
        """At most this many rows."""
        ...

    @property
    def page_token(self) -> str:
        """Where to go on."""
        ...


class Fields:
    """Collects what is wrong with the fields of one request; ``done`` refuses it if anything is."""

    def __init__(self) -> None:
        self.problems: list[FieldProblem] = []

    def wrong(self, field: str, description: str) -> None:
        """Note one problem."""
        self.problems.append(FieldProblem(field=field, description=description))

    def mask(
        self, paths: Collection[str], known: Collection[str], *, words: str = ""
    ) -> frozenset[str]:
        """Return the paths of an update_mask, of those that are ``known``; ``words`` says which
        these are.
        """
        may = words or ", ".join(known)
        if not paths:
            self.wrong("update_mask", f"must name what to change: {may}")
        if unknown := sorted(set(paths).difference(known)):
            shown = ", ".join(path[:PATH_SHOWN_MAX] for path in unknown[:PATHS_SHOWN])
            more = f" and {len(unknown) - PATHS_SHOWN} more" * (len(unknown) > PATHS_SHOWN)
            self.wrong("update_mask", f"cannot change {shown}{more}: it may name {may}")
        return frozenset(paths)

    def done(self) -> None:
        """Raise CallRefused if anything was noted."""
        if self.problems:
            raise invalid(*self.problems)

    def done_page(
        self, request: Paged, *filters: object, most: int = pages.PAGE_SIZE_MAX
    ) -> pages.PageAsked:
        """Return what page is asked for, of the list that ``filters`` names; it has ``most`` rows
        at most. Raises CallRefused as ``done`` does.
        """
        self.done()
        return pages.asked(request.page_size, request.page_token, *filters, most=most)

    def machine_id(self, value: str, *, needed: bool = True, field: str = "machine_id") -> Self:
        """Check a machine id; empty is right only if it is not ``needed``."""
        if (needed or value) and not _MACHINE_ID.fullmatch(value):
            self.wrong(field, f"must be {MACHINE_ID_WORDS}")
        return self

    def _shown(self, field: str, value: str) -> bool:
        """Return whether every character of the text can be shown; if not, that is what is wrong
        with it.
        """
        if value.isprintable():
            return True
        hidden = next(letter for letter in value if not letter.isprintable())
        self.wrong(
            field,
            f"has U+{ord(hidden):04X}, which cannot be shown: one line without control characters "
            "is wanted",
        )
        return False

    def some_id(self, field: str, value: str, *, needed: bool = True) -> Self:
        """Check an id that we or Alipay made."""
        if not self._shown(field, value):
            return self
        if (needed and not value) or len(value) > ID_LENGTH_MAX:
            self.wrong(
                field, f"must be an id of {1 if needed else 0} to {ID_LENGTH_MAX} characters"
            )
        return self

    def text(self, field: str, value: str, *, least: int, most: int) -> Self:
        """Check a text that Alipay shows or stores: no control characters and no double quote
        (docs/alipay.md 4.1).
        """
        if not self._shown(field, value):
            return self
        if not least <= len(value.strip()) or len(value) > most:
            self.wrong(field, f"must have {least} to {most} characters")
        elif '"' in value:
            self.wrong(field, "must have no double quote: Alipay takes none")
        return self

    def etag(self, value: str) -> Self:
        """Check an etag; empty says that nobody cares who changed the machine."""
        if len(value) > ETAG_LENGTH_MAX or not value.isprintable():
            self.wrong("etag", "must be the etag that an answer had, or empty")
        return self

    def etag_of(self, value: str, inside: str, *, field: str) -> str:
        """Return the etag that an update minds: its own, or else the one ``inside`` what it
        changes, which is still there when somebody sends back what they read.
        """
        self.etag(value)
        if value and inside and value != inside:
            self.wrong(field, "must be that of etag, or one of the two empty")
        elif inside and not value:
            self.etag(inside)
        return value or inside

    def country_code(self, value: str) -> Self:
        """Check the country of a machine's place; empty is right."""
        if value and value not in iso3166.countries_by_alpha2:
            self.wrong(
                "country_code",
                "must be the two upper-case letters that ISO 3166-1 gives a country, for example "
                "HK, or empty",
            )
        return self

    def reason(self, value: str, *, needed: bool = False, field: str = "reason") -> Self:
        """Check a reason for the audit log; empty is right only if it is not ``needed``."""
        if not self._shown(field, value):
            return self
        if (needed and not value.strip()) or len(value) > REASON_LENGTH_MAX:
            self.wrong(field, f"must have {1 if needed else 0} to {REASON_LENGTH_MAX} characters")
        return self

    def word(self, field: str, enum: object, value: int) -> str:
        """Return the word of an enum's value that a list is filtered by; UNSPECIFIED asks for all
        and is empty.
        """
        known = enums.descriptor_of(enum)
        word = enums.word_of(known, value)
        if not word and value != enums.UNSPECIFIED:
            self.wrong(field, f"must be {enums.names_said(known)}")
        return word

    def words(self, field: str, enum: object, values: Sequence[int]) -> tuple[str, ...]:
        """Return the words of the values that a list is filtered by, each once; none asks for
        all.
        """
        known = enums.descriptor_of(enum)
        words: set[str] = set()
        for index, value in enumerate(values):
            word = enums.word_of(known, value)
            if not word:
                self.wrong(f"{field}[{index}]", f"must be {enums.names_said(known)}")
            words.add(word)
        return tuple(sorted(words))

    def part(self, field: str, value: str) -> Self:
        """Check a text that is looked for in names and addresses."""
        if self._shown(field, value) and len(value) > PLACE_LENGTH_MAX:
            self.wrong(field, f"must have at most {PLACE_LENGTH_MAX} characters")
        return self

    def amount(self, field: str, minor: int) -> Self:
        """Check an amount that is looked for."""
        if not 0 <= minor <= AMOUNT_MINOR_MAX:
            self.wrong(field, f"must be 0 to {AMOUNT_MINOR_MAX} minor units")
        return self

    def time_ms(self, field: str, at: Timestamp) -> int:
        """Return a time in milliseconds; what is less than one counts as a whole one, so that
        "before" and "not before" meet nowhere.
        """
        at_ms = at.seconds * 1_000 - (-at.nanos // 1_000_000)
        if not (0 <= at_ms <= TIME_MS_MAX and 0 <= at.nanos < 1_000_000_000):
            self.wrong(field, "must be a time from 1970 to 9999")
            return 0
        return at_ms

    def stock(self, column: str, stock: int) -> Self:
        """Check a count; whether the column has room for it, its machine knows."""
        if not 1 <= len(column.encode()) <= COLUMN_BYTES_MAX:
            self.wrong("column", f"must have 1 to {COLUMN_BYTES_MAX} bytes")
        if stock > CAPACITY_MAX:
            self.wrong("stock", f"must be at most {CAPACITY_MAX}")
        return self

    def mode(self, value: int, *, default: Mode | None) -> Mode:
        """Return the mode; ``default`` stands for MODE_UNSPECIFIED, None: it must be said."""
        if value == enums.UNSPECIFIED and default is not None:
            return default
        word = enums.word_of(_MODE, value)
        if not word:
            self.wrong("mode", f"must be one of {', '.join(enums.names_of(_MODE))}")
        return Mode(word) if word else Mode.BOTH

    def overrides(self, policy: machine_pb2.Policy) -> PolicyOverrides:
        """Return the machine's own limits; what is not set follows the fleet."""
        own: dict[str, int] = {
            name: getattr(policy, name)
            for name in _LIMITS
            if policy.HasField(name)  # type: ignore[arg-type]  # a test holds the names to each other
        }
        for name, value in own.items():
            limit = BOUNDS[name]
            if not limit.least <= value <= limit.most:
                self.wrong(
                    f"policy.{name}",
                    f"must be {limit.least} to {limit.most} {limit.unit}; "
                    "leave it out to follow the fleet",
                )
        return PolicyOverrides(**own)

    def columns(self, columns: Sequence[machine_pb2.Column]) -> tuple[Column, ...]:
        """Return the planogram."""
        if len(columns) > COLUMNS_MAX:
            self.wrong("columns", f"must be at most {COLUMNS_MAX}")
            return ()
        seen: set[str] = set()
        for index, column in enumerate(columns):
            self._column(f"columns[{index}]", column, seen)
            seen.add(column.column)
        return tuple(
            Column(
                column=one.column,
                product=one.product,
                price_minor=one.price_minor,
                capacity=one.capacity,
                stock=one.stock,
            )
            for one in columns
        )

    def _column(
        self,
        place: str,
        column: machine_pb2.Column,
        seen: Collection[str],
    ) -> None:
        if not self._shown(f"{place}.column", column.column):
            pass
        elif not 1 <= len(column.column.encode()) <= COLUMN_BYTES_MAX:
            self.wrong(f"{place}.column", f"must have 1 to {COLUMN_BYTES_MAX} bytes")
        elif column.column in seen:
            self.wrong(f"{place}.column", f"{column.column!r} is there twice")
        if self._shown(f"{place}.product", column.product) and len(column.product.encode()) > 64:
            self.wrong(f"{place}.product", "must have at most 64 bytes")
        if not 0 < column.price_minor <= AMOUNT_MINOR_MAX:
            self.wrong(f"{place}.price_minor", f"must be 1 to {AMOUNT_MINOR_MAX}")
        if not 1 <= column.capacity <= CAPACITY_MAX:
            self.wrong(f"{place}.capacity", f"must be 1 to {CAPACITY_MAX}")
        elif column.stock > column.capacity:
            self.wrong(f"{place}.stock", "must not be above the capacity")


def new_machine(
    request: fleet_service_pb2.RegisterMachineRequest,
) -> NewMachine:
    """Check a registration. Raises CallRefused with every problem."""
    fields = Fields()
    fields.machine_id(request.machine_id)
    fields.text("store_name", request.store_name, least=1, most=64)
    fields.text("address", request.address, least=0, most=200)
    if request.currency not in SETTLED:
        fields.wrong("currency", f"must be one that Alipay settles: {', '.join(sorted(SETTLED))}")
    fields.country_code(request.country_code)
    made = NewMachine(
        machine_id=MachineId(request.machine_id),
        store_name=request.store_name,
        currency=Currency(request.currency),
        country_code=request.country_code,
        address=request.address,
        mode=fields.mode(request.mode, default=Mode.BOTH),
        overrides=fields.overrides(request.policy),
        columns=fields.columns(request.columns),
    )
    fields.done()
    return made
