"""The commands ``vendgate lake``: facts of sales as files, and questions about them."""
