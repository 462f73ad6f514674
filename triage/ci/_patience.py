"""When a request is sent again, and after how long: one policy for every host."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from email.utils import parsedate_to_datetime
from random import uniform
from typing import TYPE_CHECKING, TypeVar

from triage.ci._extra import library
from triage.ci._message import HostFault

if TYPE_CHECKING:
    from tenacity import RetryCallState

ATTEMPTS = 4
UNKNOWN_WAIT = 60.0  # what GitHub asks for where it names no time
_T = TypeVar("_T")


class Refused(HostFault):
    """One request that came to nothing.

    ``waits``: the host did nothing and asks to come back after ``retry_after`` seconds. ``passing``: it may work
    when sent again, and it is not known what the host has done.
    """

    def __init__(
        self,
        text: str,
        status: int | None = None,
        retry_after: float | None = None,
        *,
        waits: bool = False,
        passing: bool = False,
    ) -> None:
        super().__init__(text, status, retry_after)
        self.waits = waits
        self.passing = passing


class Patience:
    """What may still be waited, all requests together; ``slow`` is how long one request may be without an answer."""

    def __init__(self, seconds: float, slow: float) -> None:
        self.left = max(0.0, seconds)
        self._slow = slow

    def spend(self, seconds: float) -> None:
        """Waits, and remembers it."""
        self.left -= seconds
        time.sleep(seconds)

    def trying(self, call: Callable[[], _T], *, repeatable: bool) -> _T:
        """The result of a call; it is made again where that is safe and where the patience lasts."""
        tenacity = library("tenacity")
        started, before = time.monotonic(), self.left

        def again(error: BaseException) -> bool:
            if not isinstance(error, Refused):
                return False
            if error.waits:
                return (error.retry_after or 0.0) <= self.left
            if not repeatable or not error.passing or (error.retry_after or 0.0) > self.left:
                return False
            working = time.monotonic() - started - (before - self.left)
            return working < min(self.left, self._slow * 1.5)  # one time-out is tried again

        return tenacity.Retrying(  # type: ignore[no-any-return]
            retry=tenacity.retry_if_exception(again),
            wait=_pause,
            stop=tenacity.stop_after_attempt(ATTEMPTS),
            sleep=self.spend,
            reraise=True,
        )(call)


def _pause(state: RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome else None
    asked = error.retry_after if isinstance(error, Refused) else None
    if asked is not None:
        return asked
    return 0.1 * float(2**state.attempt_number) * uniform(0.5, 1.0)  # noqa: S311  # jitter, no secret


def asked_to_wait(status: int, headers: Mapping[str, str], said: str) -> float | None:
    """Seconds that a host asks to wait; None where the answer is no matter of rate.

    Retry-After (seconds or a date), then the end of the rate window, by the host's own clock.
    """
    limited = status == 429 or (status == 403 and _limits(headers, said))
    after = _seconds(headers.get("retry-after"), headers)
    if after is not None and (limited or status in {403, 503}):
        return after
    if not limited:
        return None
    reset = headers.get("x-ratelimit-reset") or headers.get("ratelimit-reset") or ""
    if reset.isascii() and re.fullmatch(r"\d{9,12}", reset) and "secondary rate" not in said.lower():
        return max(0.0, int(reset) - _now(headers))
    return UNKNOWN_WAIT


def _limits(headers: Mapping[str, str], said: str) -> bool:
    spent = headers.get("x-ratelimit-remaining") == "0"
    return spent or "secondary rate limit" in said.lower() or "retry-after" in headers


def _seconds(value: str | None, headers: Mapping[str, str]) -> float | None:
    text = (value or "").strip()
    if re.fullmatch(r"[0-9]{1,9}", text):
        return float(text)
    moment = _date(text)
    return None if moment is None else max(0.0, moment - _now(headers))


def _now(headers: Mapping[str, str]) -> float:
    told = _date(headers.get("date") or "")
    return time.time() if told is None else told


def _date(text: str) -> float | None:
    try:
        return parsedate_to_datetime(text).timestamp() if text else None
    except (ValueError, OverflowError, OSError):
        return None
