"""A client of Alipay's cross-border in-store gateway (MAPI). Knows nothing of vending machines; could be published alone."""
