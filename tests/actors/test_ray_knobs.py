"""What Ray is told: that it knows these words, and that a cluster is told what our own Ray is."""

from pathlib import Path

import ray

from actors import ray_knobs

PROGRAMS = [
    Path(ray.__file__).parent / "core" / "src" / "ray" / name
    for name in ("raylet/raylet", "gcs/gcs_server")
]


def test_ray_knows_every_word() -> None:
    """A name that Ray has dropped, or that is misspelt, would do nothing and say nothing."""
    known = b"".join(path.read_bytes() for path in PROGRAMS)
    own = {"RAY_USAGE_STATS_ENABLED", "GRPC_ENABLE_FORK_SUPPORT"}  # Python's, and gRPC's
    for name in (ray_knobs.OWN.keys() | ray_knobs.CLUSTER.keys()) - own:
        assert name.encode() in known, name


def test_a_cluster_recovers_as_our_own_ray_does() -> None:
    """What is told to both is the same."""
    both = ray_knobs.OWN.keys() & ray_knobs.CLUSTER.keys()
    assert "RAY_core_worker_internal_heartbeat_ms" in both
    assert all(ray_knobs.OWN[name] == ray_knobs.CLUSTER[name] for name in both)
