"""The wire for httpx and httpx2 clients, which look alike, and whom to trust for every library."""

from __future__ import annotations

import os
import ssl
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import lru_cache, partial
from importlib import import_module
from types import ModuleType
from typing import Any

from triage.ci._extra import library
from triage.ci._faults import cut
from triage.ci._message import Access, HostFault
from triage.ci._wire import Answer, Ask, Broken, Send, Wire

_BUNDLES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")


def token_of(access: Access, names: tuple[str, ...], where: str, hint: str = "") -> str | None:
    """The token, checked; None in a dry run, which can do without."""
    token = (access.token or "").strip()
    if not token and access.say is None:
        raise HostFault(f"there is no token for {where}. Set {names[0]} ({', '.join(names[1:])} work too).{hint}")
    if not token.isascii() or not all(33 <= ord(c) < 127 for c in token):
        raise HostFault(f"the token for {where} holds characters that no token has. See {names[0]}.")
    return token or None


def bundle() -> str | None:
    """The certificates to trust instead of the machine's: a file or a folder that a variable names."""
    for name in _BUNDLES:
        if path := os.environ.get(name):
            if not os.path.exists(path):
                raise HostFault(f"{name} names {path}, and there is no such file.")
            return path
    return None


def trust(extra: str | None = None) -> ssl.SSLContext:
    """Certificates of the bundle, else of the machine and of certifi; ``extra`` is a file that is trusted too."""
    return _trust(bundle(), extra)


@lru_cache(maxsize=4)
def _trust(chosen: str | None, extra: str | None) -> ssl.SSLContext:
    try:
        if chosen:
            folder = os.path.isdir(chosen)
            context = ssl.create_default_context(cafile=None if folder else chosen, capath=chosen if folder else None)
        else:
            context = ssl.create_default_context()
            context.load_verify_locations(import_module("certifi").where())
        if extra and os.path.isfile(extra):
            context.load_verify_locations(extra)
    except (ssl.SSLError, OSError) as error:
        raise HostFault(f"certificates cannot be read from {chosen or extra}: {error}") from None
    return context


def sender(library_name: str, client: Any, access: Access) -> Send:
    """How a client of httpx or httpx2 sends: redirects are not followed, bodies come in pieces."""
    module = library(library_name)
    problems = (module.HTTPError, module.InvalidURL, module.StreamError, UnicodeError)

    def send(ask: Ask) -> Answer:
        try:
            content = {"content": ask.body} if isinstance(ask.body, bytes) else {"json": ask.body}
            request = client.build_request(
                ask.method,
                ask.path,
                params=dict(ask.params) or None,
                headers=dict(ask.headers),
                **(content if ask.body is not None else {}),
            )
            response = client.send(request, stream=True, follow_redirects=False)
        except problems as error:
            raise _broken(module, error, access.timeout) from None
        return Answer(
            response.status_code,
            {name.lower(): value for name, value in response.headers.items()},
            _pieces(module, problems, response, access.timeout),
            response.close,
        )

    return send


@contextmanager
def opened(make: Callable[[], AbstractContextManager[Any]], *faults: type[Exception]) -> Iterator[Any]:
    """A client; raises HostFault where the proxy that the environment names cannot be used."""
    unusable: tuple[type[Exception], ...] = (ValueError, ImportError, *faults)
    with ExitStack() as stack:
        try:
            client = stack.enter_context(make())
        except unusable as error:
            raise HostFault(
                f"no client can be made: {cut(str(error))}. See HTTPS_PROXY, ALL_PROXY, NO_PROXY."
            ) from None
        yield client


@contextmanager
def plain_sender(access: Access, headers: Mapping[str, str] | None = None) -> Iterator[Send]:
    """An httpx2 client; without headers for places that get no token."""
    module = library("httpx2")
    given = {"user-agent": "triage", **(headers or {})}
    make = partial(module.Client, timeout=access.timeout, follow_redirects=False, verify=trust(), headers=given)
    with opened(make, module.InvalidURL) as client:
        yield sender("httpx2", client, access)


def log_chunks(opened: Callable[[], AbstractContextManager[Wire]], path: str, access: Access) -> Iterator[bytes]:
    """The bytes of one log, on a connection of its own: it may be read when the list of logs is at its end."""
    with opened() as wire, plain_sender(access) as elsewhere:
        yield from wire.stream(path, elsewhere)


def _pieces(
    module: ModuleType, problems: tuple[type[Exception], ...], response: Any, timeout: float
) -> Iterator[bytes]:
    try:
        yield from response.iter_bytes()
    except problems as error:
        raise _broken(module, error, timeout) from None


def _broken(module: ModuleType, error: Exception, timeout: float) -> Broken:
    if isinstance(error, module.TimeoutException):
        return Broken(f"no answer within {timeout:g} s", passing=not isinstance(error, module.ConnectTimeout))
    words = str(error) or type(error).__name__
    if isinstance(error, module.ConnectError):
        return Broken(f"no connection ({words}). Is the address right, and is HTTPS_PROXY set where it is needed?")
    return Broken(words, passing=isinstance(error, module.TransportError))
