"""Alipay's side: notifications and the daily files."""
