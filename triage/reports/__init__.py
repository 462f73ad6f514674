"""One module an output format: ``MEDIA_TYPE`` and ``render(reports, colour, width) -> str``.

``settled(text)`` says how much of a rendered report does not wait for the archive, ``repair(done, report)`` draws a
repair. A module with ``WHOLE = True`` makes one document of many reports: whoever has several must draw them at once;
one with ``FILE`` is written into a job's folder under that name.
"""
