"""One measurement a file: each has one function, an end, and leaves machines and processes as it
found them.
"""
