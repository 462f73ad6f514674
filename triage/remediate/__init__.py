"""Repairing a build: diagnose, plan, apply on a copy, run again, judge, prove.

``loop`` searches; ``plan`` says what to try in which order; ``sandbox`` runs fixes in a child process; ``judge``
compares a run with the one before; ``difference`` tells what was changed; ``leave`` writes what is left behind.
"""
