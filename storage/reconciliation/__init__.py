"""The daily comparison with Alipay's files: its runs and our side of it."""
