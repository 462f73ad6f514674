"""Bytes of a log to confirmed hits and facts."""
