"""The host: thousands of machine actors in one process, and the loop that turns them."""
