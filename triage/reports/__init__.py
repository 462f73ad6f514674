"""One module an output format: ``MEDIA_TYPE`` and ``render(reports, colour, width) -> str``."""
