"""Offers to known payers: what somebody gives (``offers``), and who may use what of it when they
pay (``rights``). What is used is counted by the machines' own COMMITs
(``storage.machines.offer_uses``).
"""
