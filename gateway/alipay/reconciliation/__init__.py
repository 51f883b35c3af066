"""Each day: Alipay's own file of the day against our ledger, trade by trade."""
