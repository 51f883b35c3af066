#!/bin/sh
# Runs a gateway whose hosts live on a Ray cluster: joins the cluster with a node that has no place for hosts, because Ray is spoken to
# through a node on the same computer, and becomes the gateway. RAY_HEAD is the head's host:port; RAY_AUTH_MODE and RAY_AUTH_TOKEN_PATH
# (or RAY_AUTH_TOKEN) are Ray's own. Arguments go to "vendgate serve".
set -eu
: "${RAY_HEAD:?is the host:port of the head of the Ray cluster}"
ray start --address="$RAY_HEAD" --num-cpus=0 --object-store-memory=83886080 --disable-usage-stats
# From here on there is only the gateway: signals reach it, and Ray's node ends with the container.
exec vendgate serve "$@"
