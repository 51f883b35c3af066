"""The back office: what administrators ask about merchandise, places and goods."""
