"""What Ray is told by its environment, where it is our own and where it is a cluster. Ray itself
is not imported here.

Flows out: variables for whoever starts a process of Ray's: a head, a node, or a gateway.
``deploy/kubernetes/raycluster.yaml``, ``deploy/compose/compose.yaml`` and
``deploy/systemd/cluster/ray.env`` hold copies of ``CLUSTER``, which ``tests/deploy`` compares.
"""

_RECOVERY = {
    # A host that was killed is noticed in 40 ms and back in 0.2 to 0.8 s; with Ray's defaults it
    # takes 1.4 to 1.9 s.
    "RAY_core_worker_internal_heartbeat_ms": "50",
    "RAY_timeout_ms_task_wait_for_death_info": "20",
    "RAY_task_retry_delay_ms": "0",
    # We do not read task events; they are a fifth of a call's cost.
    "RAY_task_events_report_interval_ms": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
    # Hosts are the gateway's other half: at Ray's nice 15 a sale took 41 s beside other work.
    "RAY_worker_niceness": "0",
    # It would kill a host because some other program uses the memory.
    "RAY_memory_monitor_refresh_ms": "0",
}

OWN = _RECOVERY | {
    # A busy gRPC server and fork handlers keep Ray from starting.
    "GRPC_ENABLE_FORK_SUPPORT": "0",
}

CLUSTER = _RECOVERY | {
    # A node that is dead is given up after 5 s, one that says nothing after 15 s; Ray's defaults
    # are 15 s and a minute. Its hosts start elsewhere then. Who was given up too early loses
    # nothing but time: each COMMIT proves its epoch.
    "RAY_health_check_initial_delay_ms": "1000",
    "RAY_health_check_period_ms": "1000",
    "RAY_health_check_timeout_ms": "2000",
    "RAY_health_check_failure_threshold": "5",
    # Whoever belongs to the cluster ends when its head was away for so long, gateways and hosts
    # among them; Ray's default is a minute. Sales need no head.
    "RAY_gcs_rpc_server_reconnect_timeout_s": "86400",
}
