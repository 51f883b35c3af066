"""The process: settings, logs, clock, signals."""
