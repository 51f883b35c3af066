"""The edge and the composition root: gRPC, HTTP ingress, settings, wiring, command line, machine
simulator.
"""
