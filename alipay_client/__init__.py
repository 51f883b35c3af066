"""A client of Alipay's cross-border in-store gateway (MAPI). Knows nothing of vending machines;
could be published alone.

Flows in: messages (``messages``) and notification bodies. Flows out: answers and notifications that
Alipay signed, or an error that says what may be done next (``errors``).
"""

from alipay_client import errors, messages
from alipay_client.client import AlipayClient
from alipay_client.config import AlipayConfig, SignType
from alipay_client.keys import Keys, load_keys
from alipay_client.notify import (
    Notification,
    NotificationKind,
    NotificationRefused,
    parse_notification,
)

__all__ = [
    "AlipayClient",
    "AlipayConfig",
    "Keys",
    "Notification",
    "NotificationKind",
    "NotificationRefused",
    "SignType",
    "errors",
    "load_keys",
    "messages",
    "parse_notification",
]
