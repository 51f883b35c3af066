"""What a machine's owner reads and writes, under its epoch."""
