"""Generated from protos/gateway/office/v1. Never edited."""
