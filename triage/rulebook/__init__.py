"""Rule files to one compiled book."""
