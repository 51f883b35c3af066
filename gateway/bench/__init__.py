"""What a vend costs, measured: real processes and real sockets, side by side with the least that
gRPC can do.
"""
