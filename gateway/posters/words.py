"""What a poster says to customers, in the languages that there are. A sentence is true for every
machine of its mode: what is promised here the core does.

``{phone}`` and ``{machine}`` are filled in. The font that ships with the product has every
character of this file.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from actors.machine.state import Mode


@dataclass(frozen=True, slots=True, kw_only=True)
class Sentences:
    """One language. ``how``: what to do, by the order in which the machine lets pay and choose."""

    title: str
    how: Mapping[Mode, str]
    refund: str
    help: str


WORDS: Mapping[str, Sentences] = {
    "zh-Hant": Sentences(
        title="用支付寶付款",
        how={
            Mode.AUTHORIZATION_FIRST: "請用支付寶掃描此碼並付款，再於機上選購。",
            Mode.SELECTION_FIRST: "請先在機上選購，再用支付寶掃描此碼，支付所示金額。",
            Mode.BOTH: "請用支付寶掃描此碼付款後選購，或先選購，再支付所示金額。",
        },
        refund="未用的款項會自動退回您的支付寶帳戶。",
        help="查詢請致電 {phone}，並告知機號 {machine}。",
    ),
    "zh-Hans": Sentences(
        title="用支付宝付款",
        how={
            Mode.AUTHORIZATION_FIRST: "请用支付宝扫描此码并付款，再在机上选购。",
            Mode.SELECTION_FIRST: "请先在机上选购，再用支付宝扫描此码，支付所示金额。",
            Mode.BOTH: "请用支付宝扫描此码付款后选购，或先选购，再支付所示金额。",
        },
        refund="未用的款项会自动退回您的支付宝账户。",
        help="咨询请致电 {phone}，并告知机号 {machine}。",
    ),
    "en": Sentences(
        title="Pay with Alipay",
        how={
            Mode.AUTHORIZATION_FIRST: (
                "Scan this code with Alipay and pay, then choose on the machine."
            ),
            Mode.SELECTION_FIRST: (
                "Choose on the machine, then scan this code with Alipay and pay the amount shown."
            ),
            Mode.BOTH: (
                "Scan this code with Alipay and pay, then choose; "
                "or choose first, then pay the amount shown."
            ),
        },
        refund="Money that you do not spend goes back to your Alipay account.",
        help="Questions? Call {phone} and name machine {machine}.",
    ),
}
"""By the language's tag (BCP 47)."""


_LATIN = (*range(0x20, 0x7F), *range(0xA0, 0x100), *map(ord, "–—‘’“”…€"))


def characters() -> str:
    """Return every character that a font of ours must have, in order: of all sentences, of machine
    ids and phone numbers, and of names in the languages of Western Europe.
    """
    said = {
        one
        for words in WORDS.values()
        for text in (words.title, words.refund, words.help, *words.how.values())
        for one in text
    }
    return "".join(sorted(said | set(map(chr, _LATIN))))
