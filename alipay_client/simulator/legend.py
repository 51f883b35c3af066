"""The switches in words: what each of them does, for the page and for whoever reads a script."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields

from alipay_client.simulator.config import Faults, Quirks

WORDS: Mapping[str, str] = {
    # What goes wrong.
    "no_answer_done": "Chance that a call is done and its connection ends without an answer.",
    "no_answer_undone": "Chance that a connection ends without an answer and nothing is done.",
    "http_500": "Chance of HTTP 500, before or after the work is done.",
    "html_page": "Chance of a web page instead of an answer, before or after the work is done.",
    "cut_xml": "Chance that the work is done and its answer ends in the middle.",
    "wrong_sign": "Chance that the work is done and the signature of its answer is wrong.",
    "unsigned_failure": "Chance that the work is done and an unsigned failure is answered.",
    "system_error": "Chance that the work is done and SYSTEM_ERROR is answered.",
    "unknown": "Refunds and cancels: chance of UNKNOWN, before or after the work is done.",
    "refund_refused": "Chance that a new refund is refused, signed, and nothing is done.",
    "odd_code": "Refunds: chance of a signed FAIL with any code, before or after the work is done.",
    "gbk_answer": "Chance that an answer is written in GBK.",
    "slow": "Chance that an answer comes late.",
    "slow_ms": "How late it comes, in milliseconds.",
    "services": "Only these services are struck, separated by commas; empty: all.",
    "notify_lost": "Chance that one delivery of a notification is lost; it is sent again later.",
    "notify_delayed": "Chance that a notification waits before its first delivery.",
    "notify_delay_ms": "How long it waits, in milliseconds.",
    "notify_duplicated": "Chance that a notification is delivered several times.",
    "notify_copies": "How many copies come beside the first.",
    "notify_reordered": "Chance that a notification is held back, so that later ones overtake it.",
    "notify_reorder_ms": "It is held back by at most this long, in milliseconds.",
    "notify_odd": (
        "Chance that a payment's notification is signed and says something undocumented."
    ),
    # What the documents leave open.
    "answer_charset": "The character set of answers.",
    "result_code_in_qrcodeinfo": "Answers about codes hold a result_code inside as well.",
    "qrcode_failure": (
        "A refused call about codes: T_FAIL is signed with result_code FAIL, F is unsigned."
    ),
    "delete_frees_slot": "A new code can be made after DELETE; else create returns the dead one.",
    "dash_in_ids": "Ids of stores and terminals may hold a dash.",
    "reject_address": "Codes with a country or an address are refused, as the sandbox may do.",
    "require_address": "Codes without a country and an address are refused.",
    "stale_timestamp_error": "What a call more than half an hour off is answered.",
    "cancel_timestamp": "How cancel writes its timestamp: milliseconds, a date, or either.",
    "unknown_spelling": "How the result UNKNOWN is spelt.",
    "refund_reason_name": "How the field of a refund's reason is called.",
    "closed_services": "Services that the contract does not hold, separated by commas.",
    "sandbox_maintenance": "An outage page from Sunday 12:00 to Monday 12:00 GMT+8.",
    "short_of_funds": "The merchant's settlement funds cover no refund.",
    "funds_retry_ms": (
        "When a refund without funds is tried again, in milliseconds; 0: in the next night."
    ),
    "async_refund_ms": "How long an accepted refund takes until the money goes back, in ms.",
    "refund_window_days": "How many days after its payment a trade can be refunded.",
    "notify_on_full_refund": "A full refund closes the trade and sends a notification.",
    "notify_waiting": "A notification WAIT_BUYER_PAY goes before the one of the payment.",
    "notify_amount_field": "Which field of a notification has the amount that the customer paid.",
    "notify_currency_field": "Which field of a notification has the currency, if any.",
    "notify_code_fields": "Notifications name the code and the store.",
    "notify_charset": "The character set of notifications of codes that name none.",
    "success_any_case": "SUCCESS in any case acknowledges a notification.",
}


def explained(group: Faults | Quirks) -> Iterator[tuple[str, object, str, Sequence[str]]]:
    """Yield for each switch its name, its value, what it does, and the values to choose from; empty
    if they are not counted.
    """
    for item in fields(group):
        yield (
            item.name,
            getattr(group, item.name),
            WORDS.get(item.name, ""),
            item.metadata.get("of", ()),
        )
