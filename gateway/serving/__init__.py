"""The composition root and the servers."""
