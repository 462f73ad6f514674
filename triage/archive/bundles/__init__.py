"""Bundles: incidents, confirmations and rules of one archive, in one file for another.

::

    exporting  ─► sealed file ─► reading (proves all of it) ─► importing (one transaction)
    kb/starter ─► starter ─────────────────────────────────────┘ the same rules for what people decided
"""
