"""The use cases that every face calls. The only place that joins the worlds below."""

from __future__ import annotations

from triage.service.diagnosis import Diagnosed, diagnose, diagnose_inputs, diagnose_log, prove_rule

__all__ = ["Diagnosed", "diagnose", "diagnose_inputs", "diagnose_log", "prove_rule"]
