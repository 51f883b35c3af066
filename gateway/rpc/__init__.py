"""What every gRPC service shares: statuses, identity, reflection, limits."""
