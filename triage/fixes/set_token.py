"""Give the process a token with read rights.

What it changes: nothing. Where a hub refuses a gated or private model, it says so and gives the commands that log in
or hand over a token. No token is ever written into a script or a recipe.

When it is wrong: where the name of the model is misspelt: the hub gives strangers the same answer. For a gated model
access must be asked for on its page first; a token alone does not open it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from triage.fixes import Example, Found, Site
from triage.remedy import Proposal, Refusal

CAUSES = ("hub-access-denied",)
SAFETY = "manual"
EVIDENT = False
_GATED = re.compile(
    r"(?i)gated repo|access to model (?P<model>[\w./-]{3,120}?) is restricted|GatedRepoError|awaiting a review"
)
_NAMED = (
    re.compile(r"Access to (?:model|dataset) (?P<model>[\w./-]{3,120}?) is restricted"),
    re.compile(
        r"https://huggingface\.co/(?:api/models/|datasets/)?(?P<model>[\w.-]{1,80}/[\w.-]{1,80}?)(?:[/.]?\s|/resolve|\.?$)",
        re.MULTILINE,
    ),
    re.compile(r"(?<![\w./-])(?P<model>[\w.-]{1,80}/[\w.-]{1,80}) is not a local folder"),
)
_ENTRY = re.compile(r"(?i)404 Client Error|RepositoryNotFound|Repository Not Found")
_NGC = re.compile(r"(?i)nvcr\.io|ngc\.nvidia|ngc registry")


def propose(site: Site) -> Iterator[Proposal | Refusal]:
    """Why nothing can be repaired here, and how a person gets access."""
    name = next((match["model"] for pattern in _NAMED if (match := pattern.search(site.log))), "") or "the model"
    page = f"https://huggingface.co/{name}" if "/" in name else "its page"
    if _NGC.search(site.log):
        yield Refusal(
            "the registry of NVIDIA refuses access: a person must log in with an API key", "Log in to nvcr.io."
        )
        yield Proposal("log in to the registry", {"commands": ["docker login nvcr.io --username '$oauthtoken'"]})
        return
    if _GATED.search(site.log):
        why = f"{name} is gated, and this process has no access: a person must ask for it and provide a token"
        yield Refusal(why, f"Ask for access at {page}, then provide a token.")
    elif _ENTRY.search(site.log) or "is not a local folder" in site.log:
        why = f"{name} is neither a local folder nor a model that this account can see"
        yield Refusal(
            f"{why}: its name is wrong, or it is private", f"Correct the name, or provide a token for {page}."
        )
    elif re.search(r"\b40[13]\b|Unauthorized|Forbidden|Invalid (?:user )?token|\btoken\b", site.log):
        yield Refusal(f"the hub refuses access to {name}: a person must provide a valid token", f"See {page}.")
    else:
        return
    commands = ["hf auth login   # older: huggingface-cli login", "export HF_TOKEN=…   # for a job without a terminal"]
    yield Proposal(f"give the process a token that may read {name}", {"commands": commands})


def apply(site: Site, parameters: Mapping[str, Any]) -> None:
    """Only a person has a token."""


def _nothing(folder: str) -> None:
    """The files do not matter."""


_FOUND = Found(("hub-access-denied",))
_LOG = "Access to model acme/chat is restricted. You must have access to it and be authenticated to access it.\n"
EXAMPLES = (
    Example(_nothing, None, found=_FOUND, log=_LOG),
    Example(_nothing, None, found=_FOUND, log="connection reset by peer\n", applies=False),
)
