"""The way to the hosts: opening them, and one batched link to each."""
