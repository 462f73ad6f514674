"""Cuts the parts of GitHub's published OpenAPI that triage uses out of the whole, for the tests.

``python -m bench.github_openapi api.github.com.json > fixtures/schemas/github-openapi.json``
"""

from __future__ import annotations

import json
import re
import sys
from typing import Any

USED = {
    "/user": ("get",),
    "/repos/{owner}/{repo}/issues/{issue_number}/comments": ("get", "post"),
    "/repos/{owner}/{repo}/issues/comments/{comment_id}": ("patch", "delete"),
    "/repos/{owner}/{repo}/check-runs": ("post",),
    "/repos/{owner}/{repo}/check-runs/{check_run_id}": ("patch",),
    "/repos/{owner}/{repo}/commits/{ref}/check-runs": ("get",),
    "/repos/{owner}/{repo}/commits/{commit_sha}/pulls": ("get",),
    "/repos/{owner}/{repo}/pulls": ("get",),
    "/repos/{owner}/{repo}/actions/runs/{run_id}/jobs": ("get",),
    "/repos/{owner}/{repo}/actions/jobs/{job_id}/logs": ("get",),
}
_WORDS = {"description", "example", "examples", "title", "externalDocs", "deprecated", "default"}


def as_schema(node: Any, *, names: bool = False) -> Any:
    """A schema without words, ``nullable`` told as JSON Schema tells it. ``names``: the keys are properties."""
    if isinstance(node, list):
        return [as_schema(item) for item in node]
    if not isinstance(node, dict):
        return node
    if names:
        return {key: as_schema(value) for key, value in node.items()}
    kept = {
        key: as_schema(value, names=key == "properties")
        for key, value in node.items()
        if key not in _WORDS and not key.startswith("x-") and key not in {"nullable", "discriminator"}
    }
    return {"anyOf": [kept, {"type": "null"}]} if node.get("nullable") else kept


def content(part: dict[str, Any], whole: dict[str, Any]) -> Any:
    """The JSON schema of a body or an answer; None where it has none."""
    if "$ref" in part:
        part = whole["components"]["responses"][part["$ref"].rpartition("/")[2]]
    found = part.get("content", {}).get("application/json")
    return as_schema(found["schema"]) if found else None


def parameter(given: dict[str, Any], whole: dict[str, Any]) -> dict[str, Any]:
    """Name, place and schema of a parameter."""
    if "$ref" in given:
        given = whole["components"]["parameters"][given["$ref"].rpartition("/")[2]]
    return {
        "name": given["name"],
        "in": given["in"],
        "required": given.get("required", False),
        "schema": as_schema(given["schema"]),
    }


def cut(whole: dict[str, Any]) -> dict[str, Any]:
    """The used paths, and every component that they need."""
    paths: dict[str, Any] = {}
    for path, methods in USED.items():
        for method in methods:
            operation = whole["paths"][path][method]
            given = [*whole["paths"][path].get("parameters", []), *operation.get("parameters", [])]
            paths.setdefault(path, {})[method] = {
                "parameters": [parameter(one, whole) for one in given],
                "body": content(operation["requestBody"], whole) if "requestBody" in operation else None,
                "responses": {code: content(part, whole) for code, part in operation["responses"].items()},
            }
    schemas: dict[str, Any] = {}
    wanted = set(re.findall(r"#/components/schemas/([\w.-]+)", json.dumps(paths)))
    while wanted:
        name = wanted.pop()
        schemas[name] = as_schema(whole["components"]["schemas"][name])
        wanted |= set(re.findall(r"#/components/schemas/([\w.-]+)", json.dumps(schemas[name]))) - set(schemas)
    version = whole["info"]["version"]
    return {"version": version, "paths": paths, "components": {"schemas": dict(sorted(schemas.items()))}}


if __name__ == "__main__":
    with open(sys.argv[1], encoding="utf-8") as source:
        json.dump(cut(json.load(source)), sys.stdout, separators=(",", ":"))
    print()
