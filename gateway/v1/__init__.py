"""Generated from protos/gateway/v1. Never edited."""
