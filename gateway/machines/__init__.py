"""The machines' side: streams, frames, translation."""
