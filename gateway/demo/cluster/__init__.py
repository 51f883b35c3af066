"""The topology of production as processes on one computer: PostgreSQL, a Ray cluster, two gateways
behind a balancer, the pretend Alipay, and machines with customers.
"""
