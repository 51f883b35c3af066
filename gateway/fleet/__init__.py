"""The administrators' side: the service, its acts and its views."""
