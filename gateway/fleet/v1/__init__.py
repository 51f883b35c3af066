"""Generated from protos/gateway/fleet/v1. Never edited."""
