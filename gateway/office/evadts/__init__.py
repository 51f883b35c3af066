"""EVA-DTS, the format in which vending machines tell what they counted: read with all that real
files have wrong, and written. Pure: bytes and values in, values and bytes out.
"""
