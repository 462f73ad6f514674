"""Requests to a host: bounded in time and size, tried again where that is safe, told in a dry run.

A host module gives ``send``, which uses the library that speaks for that host; all else is the same for all.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import urlencode, urljoin, urlsplit

from triage.ci._faults import cut, refusal
from triage.ci._message import Access, HostFault
from triage.ci._patience import Patience, Refused

LARGEST = 32 << 20  # bytes of one answer: a hundred comments of 65,536 characters fit
PAGES = 100
_ERROR_BYTES = 64 << 10
_GONE = dict.fromkeys((401, 403, 404, 410), "The log cannot be had from there; it may be too old, or not there yet.")


class Ask(NamedTuple):
    """A request; ``path`` begins with a slash and follows the address of the API, or is a whole address.

    ``again``: it may be sent twice, since it only reads or the receiver can tell a repeat.
    """

    method: str
    path: str
    params: Mapping[str, str] = {}
    body: object = None
    headers: Mapping[str, str] = {}
    again: bool = False


class Answer(NamedTuple):
    """What came back; header names in lower case. ``chunks`` raises Broken where the answer breaks off."""

    status: int
    headers: Mapping[str, str]
    chunks: Iterator[bytes]
    close: Callable[[], None]


class Broken(Exception):
    """No answer, or only a part of one: why, in words; ``passing`` where trying again may help."""

    def __init__(self, why: str, *, passing: bool = True) -> None:
        super().__init__(why)
        self.passing = passing


Send = Callable[[Ask], Answer]


class Wire:
    """One host, one token, one budget of patience. Raises HostFault only."""

    def __init__(
        self, api: str, access: Access, send: Send, advice: Mapping[int, str], *, secret_path: bool = False
    ) -> None:
        self.api = checked(api)
        self.access = access
        self._send = send
        self._advice = advice
        self._secret_path = secret_path
        self.patience = Patience(access.patience, access.timeout)

    @property
    def deaf(self) -> bool:
        """A dry run without a token: reading requests are told, not sent."""
        return self.access.say is not None and not self.access.token

    def read(self, path: str, params: Mapping[str, str] | None = None) -> Any:
        """The JSON of an answer; None where nothing was sent."""
        sound = {name: value.encode("utf-8", "replace").decode() for name, value in (params or {}).items()}
        return self._page(Ask("GET", path, sound, again=True))[0]

    def query(self, path: str, body: object) -> Any:
        """As read, where a host wants a question by POST."""
        return self._page(Ask("POST", path, {}, body, again=True))[0]

    def pages(self, path: str, params: Mapping[str, str], size: int, count: str = "per_page") -> Iterator[Any]:
        """Page after page. The next one is counted, never taken from an address that the host names."""
        for page in range(1, PAGES + 1):
            ask = Ask("GET", path, again=True, params={**params, count: str(size), "page": str(page)})
            found, headers = self._page(ask)
            if found is not None:
                yield found
            if 'rel="next"' not in headers.get("link", ""):
                return
        raise HostFault(f"{self._named(ask)}: more than {PAGES} pages. Nothing is said where so much is said.")

    def write(self, method: str, path: str, body: object) -> Mapping[str, Any] | None:
        """Sends what changes something, at most once where it is not known what the host did. None in a dry run."""
        sound = json.loads(json.dumps(body, ensure_ascii=False).encode("utf-8", "replace"))  # no half characters
        ask = Ask(method, path, {}, sound)
        if self.access.say:
            self._tell(ask)
            return None
        found = self.patience.trying(lambda: self._once(ask), repeatable=ask.again)[0]
        return self.shaped(found, ask)

    def deliver(self, ask: Ask) -> None:
        """Sends what a receiver can tell from a repeat; its answer is not read, and no redirect followed."""
        if self.access.say:
            self._tell(ask)
            return
        self.patience.trying(lambda: self._handed_over(ask), repeatable=ask.again)

    def stream(self, path: str, elsewhere: Send) -> Iterator[bytes]:
        """The bytes of a log as they come; where it lies elsewhere, that place gets no token."""
        ask = Ask("GET", path, again=True)
        if self.access.say:
            self._tell(ask)
        if self.deaf:
            return
        answer = self.patience.trying(lambda: self._opened(ask, elsewhere), repeatable=ask.again)
        try:
            yield from answer.chunks
        except Broken as broken:
            raise self._broken(ask, broken) from None
        finally:
            answer.close()

    def shaped(self, found: object, ask: Ask) -> Mapping[str, Any]:
        """An answer that has to be an object; of a new thing with its id, or nobody knows whether it was made."""
        if not isinstance(found, Mapping) or (ask.method == "POST" and type(found.get("id")) is not int):
            what = "an object with an id" if ask.method == "POST" else "an object"
            raise HostFault(f"{self._named(ask)}: the answer is not {what}, as the host's API says it is.")
        return found

    def strange(self, path: str, what: str, method: str = "GET") -> HostFault:
        """The fault for an answer of another shape than the host documents."""
        return HostFault(f"{method} {cut(self._address(path))}: {what}, other than the host's API says.")

    def _page(self, ask: Ask) -> tuple[Any, Mapping[str, str]]:
        if self.access.say:
            self._tell(ask)
        if self.deaf:
            return None, {}
        return self.patience.trying(lambda: self._once(ask), repeatable=ask.again)

    def _once(self, ask: Ask) -> tuple[Any, Mapping[str, str]]:
        status, data, headers = self._fetch(ask)
        if status == 204:
            return {}, headers
        try:
            found = json.loads(data)
        except (ValueError, RecursionError):
            page = data.lstrip()[:1] == b"<"
            why = "the answer is an HTML page" if page else "the answer is no JSON, or JSON that is cut off"
            why += ". Is the address of the API right, and is there a login page or a proxy before it?"
            raise self._broken(ask, Broken(why, passing=not page)) from None
        if found is None:
            raise self.strange(ask.path, "the answer is null", ask.method)
        return found, headers

    def _fetch(self, ask: Ask) -> tuple[int, bytes, Mapping[str, str]]:
        answer = self._reach(ask, follow=True)
        try:
            return answer.status, self._body(ask, answer, LARGEST), answer.headers
        finally:
            answer.close()

    def _handed_over(self, ask: Ask) -> None:
        answer = self._reach(ask, follow=False)
        answer.close()
        if answer.status >= 300:
            raise self._refused(ask, answer, b"")

    def _reach(self, ask: Ask, *, follow: bool) -> Answer:
        """An answer of success, or a redirect where those are not followed."""
        for _ in range(4):
            try:
                answer = self._send(ask._replace(path=self._address(ask.path)))
            except Broken as broken:
                raise self._broken(ask, broken) from None
            if 200 <= answer.status < 300 or (300 <= answer.status < 400 and not follow):
                return answer
            try:
                if answer.status not in {301, 302, 307, 308}:
                    data = self._body(ask, answer, _ERROR_BYTES, strict=False)
                    raise self._refused(ask, answer, data)
                ask = self._moved(ask, answer)
            finally:
                answer.close()
        raise HostFault(f"{self._named(ask)}: the host sends from one address to the next without an end.")

    def _refused(self, ask: Ask, answer: Answer, data: bytes) -> Refused:
        return refusal(self._named(ask), answer.status, answer.headers, self._without_token(data), self._advice)

    def _moved(self, ask: Ask, answer: Answer) -> Ask:
        """The same request at the place that the host names, if it is the same host's API."""
        place = _joined(self._address(ask.path), answer.headers.get("location", ""))
        inside = place.startswith(self.api + "/") and answer.headers.get("location")
        if not inside or (ask.method != "GET" and answer.status == 302):
            parts = urlsplit(place)
            where = cut(f"{parts.scheme}://{parts.hostname}{parts.path}")
            text = f"{self._named(ask)}: the host says that it moved to {where}; no token is sent there."
            raise HostFault(f"{text} Correct the address of the API (TRIAGE_API_URL).", answer.status)
        path = place[len(self.api) :]
        return ask._replace(path=path, params={} if "?" in path else ask.params)

    def _opened(self, ask: Ask, elsewhere: Send) -> Answer:
        answer = self._reach(ask, follow=False)
        place = self._address(ask.path)
        for _ in range(4):
            if not 300 <= answer.status < 400:
                break
            answer.close()
            place = _onward(place, answer.headers.get("location", ""), self._named(ask))
            try:
                answer = elsewhere(Ask("GET", place))
            except Broken as broken:
                raise self._broken(ask, broken) from None
        if answer.status != 200:
            data = self._body(ask, answer, _ERROR_BYTES, strict=False)
            answer.close()
            parts = urlsplit(place)
            where = cut(f"{parts.scheme}://{parts.hostname}{parts.path}")
            raise refusal(f"{self._named(ask)}, its log at {where}", answer.status, answer.headers, data, _GONE)
        return answer

    def _body(self, ask: Ask, answer: Answer, limit: int, *, strict: bool = True) -> bytes:
        until = time.monotonic() + self.access.timeout
        parts, size, why = [], 0, ""
        try:
            for chunk in answer.chunks:
                parts.append(chunk)
                size += len(chunk)
                if size > limit:
                    break
                if time.monotonic() > until:
                    why = f"the answer did not end within {self.access.timeout:g} s"
                    break
        except Broken as broken:
            why = str(broken)
        if strict and size > limit:
            raise HostFault(f"{self._named(ask)}: the answer is larger than {limit >> 20} MiB, and was not read.")
        if strict and why:
            raise self._broken(ask, Broken(why))
        return b"".join(parts)

    def _broken(self, ask: Ask, broken: Broken) -> Refused:
        why = cut(self._without_token(str(broken).encode("utf-8", "replace")).decode("utf-8", "replace"))
        after = "" if ask.again else " Whether the host did it is not known: it is not sent twice."
        end = "" if why.endswith(("?", ".")) else "."
        return Refused(f"{self._named(ask)}: {why}{end}{after}", passing=broken.passing)

    def _without_token(self, data: bytes) -> bytes:
        token = (self.access.token or "").encode()
        return data.replace(token, b"[token]") if token else data

    def _address(self, path: str) -> str:
        return path if path.startswith(("http://", "https://")) else self.api + path

    def _named(self, ask: Ask) -> str:
        address = self._address(ask.path).partition("?")[0]
        if self._secret_path:  # services put the secret of a webhook into its address
            address = re.sub(r"(?<=[^:/]/)(?=[^/]*[0-9A-Z])[^/]{8,}", "…", address)
        return f"{ask.method} {cut(address)}"

    def _tell(self, ask: Ask) -> None:
        say = self.access.say
        if say is None:
            return
        asked = "?" + urlencode(ask.params, errors="replace") if ask.params else ""
        lines = [f"{ask.method} {self._named(ask).partition(' ')[2]}{asked}"]
        if ask.body is not None:
            body = json.loads(ask.body) if isinstance(ask.body, bytes) else ask.body
            lines.append(_visible(json.dumps(body, ensure_ascii=False, indent=2)))
        say(self._without_token("\n".join(lines).encode("utf-8", "replace")).decode())


def checked(api: str | None) -> str:
    """The address of an API: http or https, a host, no name and password, no slash at its end."""
    try:
        parts = urlsplit(api or "")
        good = parts.scheme in {"http", "https"} and parts.hostname and not parts.username and parts.port != 0
    except ValueError:
        good = False
    if not good or not api or any(c.isspace() or not c.isprintable() for c in api):
        raise HostFault(f"{cut(api or 'nothing')!r} is no address of an API. Set TRIAGE_API_URL: https://host/path.")
    return api.partition("?")[0].partition("#")[0].rstrip("/")


def inner(wire: Wire, path: str, page: object, name: str) -> object:
    """The list within a page that GitHub and Gitea wrap in an object; an empty one where nothing was sent."""
    if page is None:
        return []
    if not isinstance(page, Mapping):
        raise wire.strange(path, "the answer is no object")
    return page.get(name)


def records(wire: Wire, path: str, found: object) -> Sequence[Mapping[str, Any]]:
    """An answer that has to be a list of objects; an empty one where nothing was sent."""
    if found is None:
        return []
    if not isinstance(found, list) or not all(isinstance(item, Mapping) for item in found):
        raise wire.strange(path, "the answer is no list of objects")
    return found


def _joined(place: str, location: str) -> str:
    try:
        joined = urljoin(place, location)
        urlsplit(joined)
    except ValueError:
        return ""
    return joined


def _onward(place: str, location: str, named: str) -> str:
    onward = urlsplit(_joined(place, location))
    downgrade = place.startswith("https:") and onward.scheme != "https"
    if onward.scheme not in {"http", "https"} or not onward.hostname or not location or downgrade:
        raise HostFault(f"{named}: the log is said to lie at {cut(location)!r}, which is no safe address.")
    return onward.geturl()


def _visible(text: str) -> str:
    """JSON in which nothing moves the cursor or hides."""
    return "".join(c if c.isprintable() or c == "\n" else json.dumps(c)[1:-1] for c in text)
