"""What only a person can do: commands that fit the log, and nothing that a log talks them into."""

import shlex
import sys

import pytest

from triage import discovery
from triage.remedy import Proposal, Refusal
from triage.site import Found, Site
from triage.workspace import Workspace


@pytest.fixture
def ask(tmp_path):
    """Writes files, and gives (proposals, refusals) of a fix for a log."""

    def asked(name, log, files=(), command=("python3", "build.py"), causes=(), tool="other"):
        for path in files:
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / path).touch()
        fix = discovery.load("triage.fixes", name)
        found = Found(causes=tuple(causes) or fix.CAUSES[:1], tool=tool)
        site = Site(Workspace(str(tmp_path), str(tmp_path)), command, ("build.py",), log=log + "\n", found=found)
        told = list(fix.propose(site))
        return (
            [each for each in told if isinstance(each, Proposal)],
            [each for each in told if isinstance(each, Refusal)],
        )

    return asked


def commands(told):
    return [line for proposal in told[0] for line in proposal.parameters["commands"]]


@pytest.mark.parametrize(
    ("log", "packages"),
    [
        ("ModuleNotFoundError: No module named 'cv2'", "opencv-python-headless"),
        ("ModuleNotFoundError: No module named 'google.protobuf'", "protobuf"),
        ("ModuleNotFoundError: No module named 'mamba_ssm'", "mamba-ssm"),
        ("import failed: No module named 'sentence_transformers.models'", "--upgrade sentence-transformers"),
        ("ModuleNotFoundError: No module named 'transformers.models.new9'", "--upgrade transformers"),
        ("ImportError: LlamaTokenizer requires the SentencePiece library but it was not found", "sentencepiece"),
        ("tokenizers>=0.21,<0.22 is required for this module, but found tokenizers==0.19.1.", "'tokenizers>=0.21,<0.22'"),
        ("auto-gptq 0.7 requires peft>=0.5.0, which is not installed.", "'peft>=0.5.0'"),
        ("Using `device_map` requires Accelerate: `pip install 'accelerate>=0.26.0'`", "'accelerate>=0.26.0'"),
        ("A module that was compiled using NumPy 1.x cannot be run in NumPy 2.1.0", "'numpy<2'"),
        ("OSError: libcudart.so.11.0: cannot open shared object file", "nvidia-cuda-runtime-cu11"),
        ("ImportError: libnvinfer.so.10: cannot open shared object file", "'tensorrt==10.*'"),
        ("ImportError: libcufft.so.11: cannot open shared object file", "nvidia-cufft-cu12"),
        ("torch.onnx.errors.OnnxExporterError: Module onnxscript is not installed!", "onnxscript"),
    ],
)  # fmt: skip
def test_the_package_of_a_message(ask, monkeypatch, log, packages):
    monkeypatch.setattr("triage.fixes._manual.places", lambda *_: iter(()))
    assert commands(ask("install_package", log)) == [f"python3 -m pip install {packages}"]


@pytest.mark.parametrize(
    "log",
    [
        "ModuleNotFoundError: No module named 'https://example.org/x'",
        "ModuleNotFoundError: No module named 'torch.onnx'; 'torch' is not a package",
        "ModuleNotFoundError: No module named 'utils'",
        "ModuleNotFoundError: No module named '_lzma'",
        "You can install it with: pip install https://example.org/x.whl",
        "pip install git+https://example.org/x.git",
        "please run pip install -r requirements.txt",
        "pip install nobody-knows-this-one",
        "pip install --index-url https://example.org torch",
        "this package requires Python >=3.10",
        "error: the model requires batch >=4",
        "subprocess: curl is not installed",
        "that file was not found in your environment",
        "cannot import name 'helper' from 'utils' (/w/utils.py)",
        "ImportError: cannot import name 'Reader' from partially initialized module 'model' (most likely circular)",
    ],
)
def test_no_package_of_any_name(ask, log):
    assert commands(ask("install_package", log)) == []


def test_a_name_that_is_not_known_is_looked_up_first(ask):
    told = ask("install_package", "ModuleNotFoundError: No module named 'acme_kernels'")
    first, second = commands(told)
    assert first.startswith("python3 -m pip index versions acme-kernels")
    assert second == "python3 -m pip install acme-kernels"
    assert "perhaps acme-kernels" in told[0][0].what


def test_a_module_of_the_build_is_put_on_the_search_path(ask):
    told = ask("install_package", "ModuleNotFoundError: No module named 'layers'", files=["deep/er/layers/__init__.py"])
    assert commands(told) == ['export PYTHONPATH=deep/er"${PYTHONPATH:+:$PYTHONPATH}"']
    assert not commands(ask("install_package", "No module named 'own.part'", files=["own/__init__.py"]))


def test_who_asks_for_a_name_that_is_gone_is_upgraded_too(ask):
    log = (
        'File "/v/lib/python3.11/site-packages/diffusers/utils/x.py", line 28, in <module>\n'
        "ImportError: cannot import name 'cached_download' from 'huggingface_hub' (/v/huggingface_hub/__init__.py)"
    )
    told = ask("install_package", log)
    assert commands(told) == ["python3 -m pip install --upgrade huggingface-hub diffusers"]


def test_the_interpreter_is_that_of_the_build(ask):
    told = ask(
        "install_package", "No module named 'einops'", command=("env", "A=1", "/opt/my env/bin/python3.11", "x.py")
    )
    assert commands(told) == ["'/opt/my env/bin/python3.11' -m pip install einops"]
    assert commands(ask("install_package", "/v/bin/python: No module named pip")) == ["python3 -m ensurepip --upgrade"]


def test_a_container_gets_gpus_and_memory_before_its_image(ask):
    run = ("docker", "run", "--rm", "--shm-size", "1g", "acme/build", "python", "build.py")
    (line,) = commands(ask("give_container_gpus", "Found no NVIDIA driver on your system", command=run))
    assert shlex.split(line)[:4] == ["docker", "run", "--gpus", "all"]
    (line,) = commands(ask("raise_shm_size", "Bus error (shared memory)", command=run))
    assert line == "docker run --shm-size=4g --rm acme/build python build.py"


def test_a_library_of_this_machine_is_put_on_the_path(ask):
    log = "OSError: libacme.so.3: cannot open shared object file: No such file or directory"
    (line,) = commands(ask("set_library_path", log, files=["native/lib/libacme.so.3"]))
    assert line.startswith("export LD_LIBRARY_PATH=")
    assert "native/lib" in line
    assert not commands(ask("set_library_path", log.replace("acme", "other"), files=["native/lib/libacme.so.3"]))


def test_a_gated_model_is_refused_and_a_path_is_no_page_of_a_hub(ask):
    gated = "Access to model acme/chat is restricted. You must have access to it and be authenticated to access it."
    proposals, refusals = ask("set_token", gated)
    assert "acme/chat is gated" in refusals[0].why
    assert "https://huggingface.co/acme/chat" in refusals[0].todo
    assert proposals[0].parameters["commands"]
    path = "OSError: /train/base is not a local folder and is not a valid model identifier"
    assert all("huggingface.co" not in each.todo for each in ask("set_token", path)[1])


def test_an_unknown_architecture_is_never_renamed(ask):
    log = "The checkpoint has model type `nova9` but Transformers does not recognize this architecture."
    proposals, refusals = ask("upgrade_consumer", log, causes=["llm-architecture-unsupported"], tool="transformers")
    assert "nova9" in refusals[0].why
    assert commands((proposals, [])) == ["python3 -m pip install --upgrade transformers"]


def test_a_driver_by_the_release_of_cuda(ask):
    told = ask("upgrade_driver", "CUDA driver version is insufficient for CUDA runtime version 13.0")
    assert "580" in told[0][0].what


def test_a_damaged_file_that_the_log_names(ask, tmp_path):
    (tmp_path / "model.safetensors").write_bytes(b"\x40\0\0\0\0\0\0\0{}")
    (tmp_path / "unused.bin").write_bytes(b"")
    told = ask("download_again", "while loading model.safetensors", causes=["checkpoint-corrupt"])
    assert [each.why.split()[0] for each in told[1]] == ["model.safetensors"]
    assert not ask("download_again", "other", causes=["tokenizer-mismatch"])[0]
    (tmp_path / "config.json").write_text('{"_name_or_path": "acme/tiny; rm -rf x"}')
    assert not [line for line in commands(ask("download_again", "x", causes=["checkpoint-corrupt"])) if "acme" in line]


CONVERT = 'python conv/convert_hf_to_gguf.py "$DIR" --outtype q4_k_m --outfile "$OUT" > log.txt 2>&1 || exit 3\n'


def test_two_steps_to_gguf_keep_what_the_shell_expands(tmp_path):
    fix = discovery.load("triage.fixes", "convert_gguf_two_step")
    (tmp_path / "build.sh").write_text(f"set -e\n{CONVERT}echo done\n")
    (tmp_path / "llama-quantize").write_text("#!/bin/sh\n")
    (tmp_path / "llama-quantize").chmod(0o755)
    site = Site(Workspace(str(tmp_path), str(tmp_path)), ("sh", "build.sh"), ("build.sh",), log="invalid choice")
    (proposal,) = fix.propose(site)
    fix.apply(site, proposal.parameters)
    line = site.text("build.sh").split("\n")[1]
    assert line.startswith(
        'python conv/convert_hf_to_gguf.py "$DIR" --outtype f16 --outfile $OUT-f16.gguf > log.txt 2>&1'
    )
    assert '&& ./llama-quantize "$OUT-f16.gguf" "$OUT" Q4_K_M' in line
    assert line.endswith("|| exit 3")
    assert not list(fix.propose(site))


def test_without_the_second_tool_both_commands_are_said(tmp_path, monkeypatch):
    fix = discovery.load("triage.fixes", "convert_gguf_two_step")
    monkeypatch.setattr("shutil.which", lambda _: None)
    command = (sys.executable, "convert_hf_to_gguf.py", "--outtype", "Q5_K_M", "my model")
    site = Site(Workspace(str(tmp_path), str(tmp_path)), command, (), log="invalid choice")
    (proposal,) = fix.propose(site)
    assert proposal.safety == "manual"
    first, second = proposal.parameters["commands"]
    assert first.endswith("--outtype f16 'my model' --outfile 'my model/ggml-model-q5_k_m-f16.gguf'")
    assert second.endswith("'my model/ggml-model-q5_k_m.gguf' Q5_K_M")
