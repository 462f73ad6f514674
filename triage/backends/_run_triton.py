"""Starts Triton on a model repository as run_triton.json says, sends one request, keeps the answer, stops the server.

python run_triton.py. Needs numpy, and a Triton server: tritonserver on the path, /opt/tritonserver, or the Python
package nvidia-pytriton. The settings are ``repository``, ``model``, ``feeds`` (an .npz file, or null to make some),
``shapes`` (of inputs), ``flags`` (more of the server's), ``seconds`` to wait for it, ``seed`` and ``outputs``.
"""

from __future__ import annotations

import importlib.util
import json
import os
import secrets
import shutil
import signal
import socket
import struct
import subprocess
import sys
import sysconfig
import tempfile
import time
import urllib.error
import urllib.request
from typing import Any

import numpy as np

KINDS = {
    "BOOL": "bool", "UINT8": "uint8", "UINT16": "uint16", "UINT32": "uint32", "UINT64": "uint64", "INT8": "int8",
    "INT16": "int16", "INT32": "int32", "INT64": "int64", "FP16": "float16", "FP32": "float32", "FP64": "float64",
}  # fmt: skip
HOMES = ("/opt/tritonserver",)


def main() -> int:
    """Serves, asks, writes."""
    with open(os.path.splitext(os.path.abspath(__file__))[0] + ".json", encoding="utf-8") as stream:
        settings = json.load(stream)
    with tempfile.TemporaryDirectory() as scratch:
        program, backends, environment = locate(scratch)
        port, name = free_port(), f"triage-{secrets.token_hex(8)}"
        words = [
            program, f"--model-repository={settings['repository']}", f"--http-port={port}", "--allow-grpc=false",
            "--allow-metrics=false", *([f"--backend-directory={backends}"] if backends else []),
            *settings.get("flags", []), f"--id={name}",
        ]  # fmt: skip
        server = subprocess.Popen(words, env={**os.environ, **environment}, start_new_session=True)
        try:
            wait(server, port, settings.get("seconds", 60), name)
            answer = ask(port, settings)
            if server.poll() is not None or served_by(port) != name:
                sys.exit("tritonserver ended while it was asked")
        finally:
            stop(server)
    np.savez(settings.get("outputs", "outputs.npz"), **answer)
    for name, value in answer.items():
        print(f"  {name}: {value.dtype} {list(value.shape)}")
    return 0


def locate(scratch: str) -> tuple[str, str, dict[str, str]]:
    """The server's program, its folder of backends where it does not know it, and what its environment needs."""
    found = shutil.which("tritonserver")
    for home in HOMES:
        found = found or shutil.which("tritonserver", path=os.path.join(home, "bin"))
    if found:
        return found, "", {}
    spec = importlib.util.find_spec("pytriton")
    if spec is None or spec.origin is None:
        sys.exit("tritonserver: command not found. Use a Triton image, or: pip install nvidia-pytriton")
    home = os.path.join(os.path.dirname(spec.origin), "tritonserver")
    python = os.path.join(scratch, "python")
    os.makedirs(python)
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    for path in (
        f"{home}/backends/python/libtriton_python.so", f"{home}/backends/python/triton_python_backend_utils.py",
        f"{home}/python_backend_stubs/{version}/triton_python_backend_stub",
    ):  # fmt: skip
        os.symlink(path, os.path.join(python, os.path.basename(path)))
    library = sysconfig.get_config_var("LIBDIR") or os.path.join(sys.base_prefix, "lib")
    path = os.pathsep.join(dict.fromkeys((library, os.path.join(sys.base_prefix, "lib"))))
    environment = {
        "PYTHONPATH": sysconfig.get_paths()["purelib"],
        "PYTHONHOME": sys.base_prefix,
        "LD_LIBRARY_PATH": path,
    }
    return f"{home}/bin/tritonserver", scratch, environment


def free_port() -> int:
    """A port that nobody uses."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait(server: subprocess.Popen[bytes], port: int, seconds: float, name: str) -> None:
    """Until the server of this name is ready, has ended, or the time is over.

    It opens its port only when its models are loaded: until then another server may have taken it, and would answer.
    """
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if server.poll() is not None:
            sys.exit(f"tritonserver exited with code {server.returncode}")
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/v2/health/ready", timeout=2):
                pass
            if served_by(port) == name:
                return
        except OSError:
            pass
        time.sleep(0.25)
    sys.exit(f"timed out: tritonserver was not ready after {seconds:g} s")


def served_by(port: int) -> str:
    """The name of the server that answers at a port; empty where none does."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/v2", timeout=5) as answer:
            return str(json.load(answer).get("name", ""))
    except (OSError, ValueError):
        return ""


def stop(server: subprocess.Popen[bytes]) -> None:
    """Asks the server to end, and ends it."""
    if server.poll() is not None:
        return
    server.send_signal(signal.SIGINT)
    try:
        server.wait(15)
    except subprocess.TimeoutExpired:
        os.killpg(server.pid, signal.SIGKILL)
        server.wait()


def ask(port: int, settings: dict[str, Any]) -> dict[str, Any]:
    """One request in the binary form of the protocol, which takes every type."""
    place = f"http://127.0.0.1:{port}/v2/models/{settings['model']}"
    told = json.loads(fetch(place, None, {})[0])
    config = json.loads(fetch(f"{place}/config", None, {})[0])
    feeds = dict(np.load(settings["feeds"])) if settings.get("feeds") else make(told["inputs"], config, settings)
    kinds = {each["name"]: each["datatype"] for each in told["inputs"]}
    inputs, raw = [], b""
    for name, value in feeds.items():
        data = packed(value, kinds.get(name, "FP32"))
        shape = list(value.shape)
        more = {"binary_data_size": len(data)}
        inputs.append({"name": name, "shape": shape, "datatype": kinds.get(name, "FP32"), "parameters": more})
        raw += data
    head = json.dumps({"inputs": inputs, "parameters": {"binary_data_output": True}}).encode()
    headers = {"Content-Type": "application/octet-stream", "Inference-Header-Content-Length": str(len(head))}
    body, length = fetch(f"{place}/infer", head + raw, headers)
    answer, data = json.loads(body[:length]), body[length:]
    found: dict[str, Any] = {}
    for each in answer["outputs"]:
        size = each["parameters"]["binary_data_size"]
        found[each["name"]] = unpacked(data[:size], each["datatype"], each["shape"])
        data = data[size:]
    return found


def fetch(place: str, body: bytes | None, headers: dict[str, str]) -> tuple[bytes, int]:
    """An answer, and how many bytes of it are JSON."""
    request = urllib.request.Request(place, body, headers)  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=120) as answer:  # noqa: S310
            data = answer.read()
            return data, int(answer.headers.get("Inference-Header-Content-Length", len(data)))
    except urllib.error.HTTPError as fault:
        sys.exit(f"request to {place} failed: HTTP {fault.code} {fault.read().decode(errors='replace')}")


def make(inputs: list[dict[str, Any]], config: dict[str, Any], settings: dict[str, Any]) -> dict[str, Any]:
    """Values for each input; dimensions that vary get 2 as the first of a batch, else 4."""
    random = np.random.default_rng(settings.get("seed", 0))
    found = {}
    for each in inputs:
        given = settings.get("shapes", {}).get(each["name"])
        batched = config.get("max_batch_size", 0) > 0
        first = min(2, config.get("max_batch_size", 0)) if batched else 4
        shape = given or [
            size if size > 0 else first if place == 0 else 4 for place, size in enumerate(map(int, each["shape"]))
        ]
        kind = each["datatype"]
        if kind == "BYTES":
            found[each["name"]] = random.choice(np.array(["a", "bc"]), size=shape)
        elif kind in ("FP16", "FP32", "FP64", "BF16"):
            found[each["name"]] = random.normal(size=shape).astype(KINDS.get(kind, "float32"))
        else:
            found[each["name"]] = random.integers(0, 2 if kind == "BOOL" else 8, size=shape).astype(KINDS[kind])
    return found


def packed(value: Any, kind: str) -> bytes:
    """An array as the protocol wants it."""
    if kind == "BYTES":
        texts = [one if isinstance(one, bytes) else str(one).encode() for one in np.asarray(value).ravel()]
        return b"".join(struct.pack("<I", len(text)) + text for text in texts)
    if kind == "BF16":
        return bytes(np.ascontiguousarray(value, np.float32).view(np.uint16).reshape(-1, 2)[:, 1].tobytes())
    return bytes(np.ascontiguousarray(value, KINDS[kind]).tobytes())


def unpacked(data: bytes, kind: str, shape: list[int]) -> Any:
    """The array of an answer; BF16 becomes float32, strings become text."""
    if kind == "BYTES":
        texts, at = [], 0
        while at < len(data):
            (size,) = struct.unpack_from("<I", data, at)
            texts.append(data[at + 4 : at + 4 + size].decode(errors="replace"))
            at += 4 + size
        return np.array(texts).reshape(shape)
    if kind == "BF16":
        return (np.frombuffer(data, np.uint16).astype(np.uint32) << 16).view(np.float32).reshape(shape)
    return np.frombuffer(data, KINDS[kind]).reshape(shape)


if __name__ == "__main__":
    sys.exit(main())
