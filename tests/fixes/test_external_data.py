"""External data: found again only where it is certain, never made up, and silent mistakes of offsets mended."""

import hashlib
import os

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx_sites import info, mended, model, node, proposals, refusals, run, site

from triage.fixes import attach_external_data, embed_external_data, fetch_lfs_objects, mend_external_fields
from triage.onnxgraph import external, offsets
from triage.site import Site

RANDOM = np.random.default_rng(2)
X = RANDOM.normal(size=(3, 8)).astype(np.float32)
SIZES = 4 * (8 * 16 + 16 + 16 * 4)


def weights():
    return {
        "w1": RANDOM.normal(size=(8, 16)).astype(np.float32), "b1": RANDOM.normal(size=16).astype(np.float32),
        "w2": RANDOM.normal(size=(16, 4)).astype(np.float32),
    }  # fmt: skip


NET = model(
    [node("Gemm", ["x", "w1", "b1"], ["h"]), node("Tanh", ["h"], ["t"]), node("MatMul", ["t", "w2"], ["y"])],
    outputs=[info("y", ("n", 4))], **weights(),
)  # fmt: skip
WANTED = run(NET, {"x": X})


@pytest.fixture
def save(tmp_path):
    """Writes the model with its data outside; gives its folder."""

    def saved(path="net/model.onnx", location="model.onnx.data", **options):
        os.makedirs(tmp_path / os.path.dirname(path), exist_ok=True)
        copy = onnx.ModelProto()
        copy.CopyFrom(NET)
        onnx.save(copy, tmp_path / path, save_as_external_data=True, location=location, size_threshold=0, **options)
        return tmp_path / os.path.dirname(path)

    return saved


def relabel(path, key, value, which=slice(None)):
    """Changes a field of some tensors' external data."""
    given = onnx.load(path, load_external_data=False)
    for tensor in given.graph.initializer[which]:
        external.set_entry(tensor, key, value)
    onnx.save(given, path)


def right(place, path="net/model.onnx"):
    """The model runs as it should, and strictly: by a path, with the checker of onnx."""
    onnx.checker.check_model(place.path(path))
    session = onnxruntime.InferenceSession(place.path(path), providers=["CPUExecutionProvider"])
    np.testing.assert_array_equal(session.run(None, {"x": X})[0], WANTED)


def attached(place, number=0, path="net/model.onnx"):
    attach_external_data.apply(place, proposals(attach_external_data, place)[number].parameters)
    again = Site(place.workspace, place.command, place.files, verify=place.verify)
    assert not proposals(attach_external_data, again)
    right(place, path)


@pytest.mark.parametrize(
    "target", ["net/weights final.bin", "store/model.onnx.data", "model.onnx.data", "net/a/b/x.dat"]
)
def test_moved_or_renamed(save, tmp_path, target):
    folder = save()
    os.makedirs((tmp_path / target).parent, exist_ok=True)
    os.rename(folder / "model.onnx.data", tmp_path / target)
    attached(site(tmp_path))


@pytest.mark.parametrize(
    ("location", "lies"),
    [
        ("/builds/42/model.onnx.data", "net/model.onnx.data"), ("C:\\out\\model.onnx.data", "net/model.onnx.data"),
        ("data\\model.onnx.data", "net/data/model.onnx.data"), ("../shared/model.onnx.data", "shared/model.onnx.data"),
        ("Model.ONNX.data", "net/model.onnx.data"), ("tmpx7f3.data", "net/model.onnx.data"),
    ],
)  # fmt: skip
def test_paths_that_cannot_be(save, tmp_path, location, lies):
    folder = save()
    os.makedirs((tmp_path / lies).parent, exist_ok=True)
    os.rename(folder / "model.onnx.data", tmp_path / lies)
    relabel(folder / "model.onnx", "location", location)
    attached(site(tmp_path))


def test_one_file_for_each_tensor(save, tmp_path):
    folder = save(all_tensors_to_one_file=False)
    os.makedirs(folder / "params")
    for name in ("w1", "b1", "w2"):
        os.rename(folder / name, folder / "params" / name)
    attached(site(tmp_path))


def test_a_link_out_of_the_folder(save, tmp_path):
    folder = save()
    os.makedirs(tmp_path / "store")
    os.rename(folder / "model.onnx.data", tmp_path / "store" / "blob")
    os.symlink("../store/blob", folder / "model.onnx.data")
    assert not proposals(attach_external_data, site(tmp_path)), "a link is not in the way of every tool"
    place = site(tmp_path, log="External data path escapes model directory.")
    attached(place)
    assert (tmp_path / "store" / "blob").is_file()
    assert not os.path.islink(folder / "model.onnx.data")


def test_a_model_that_may_not_be_changed(save, tmp_path):
    folder = save()
    os.makedirs(tmp_path / "weights")
    os.rename(folder / "model.onnx.data", tmp_path / "weights" / "model.onnx.data")
    attached(site(tmp_path, offered=("weights/",)))


def other(size=SIZES, seed=5):
    return np.random.default_rng(seed).normal(size=size // 4).astype(np.float32).tobytes()


def test_several_that_fit(save, tmp_path):
    folder = save()
    os.rename(folder / "model.onnx.data", folder / "final.bin")
    (folder / "draft.bin").write_bytes(other())
    assert not proposals(attach_external_data, site(tmp_path, verify=False))
    assert "Nothing tells" in refusals(attach_external_data, site(tmp_path, verify=False))[0].why
    assert len(proposals(attach_external_data, site(tmp_path))) == 2


def test_the_hash_in_the_model_decides(save, tmp_path):
    folder = save()
    digest = hashlib.sha1((folder / "model.onnx.data").read_bytes()).hexdigest()  # noqa: S324 -- what ONNX lays down
    relabel(folder / "model.onnx", "checksum", digest)
    os.rename(folder / "model.onnx.data", folder / "z.bin")
    (folder / "a.bin").write_bytes(other())
    attached(site(tmp_path, verify=False))


def test_the_same_content_twice_is_one_candidate(save, tmp_path):
    folder = save()
    data = (folder / "model.onnx.data").read_bytes()
    os.unlink(folder / "model.onnx.data")
    for name in ("one.bin", "two.bin"):
        (folder / name).write_bytes(data)
    attached(site(tmp_path, verify=False))


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (None, "is not there"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 832\n", "Git LFS pointer"),
        (other(SIZES // 2), "cut short"),
    ],
)
def test_what_is_not_there_is_refused(save, tmp_path, content, why):
    folder = save()
    os.unlink(folder / "model.onnx.data")
    if content is not None:
        (folder / "model.onnx.data").write_bytes(content)
    (tmp_path / "noise.bin").write_bytes(np.random.default_rng(0).integers(0, 256, SIZES, np.uint8).tobytes())
    (tmp_path / "larger.bin").write_bytes(other(SIZES + 400))
    assert not proposals(attach_external_data, site(tmp_path))
    refused = refusals(attach_external_data, site(tmp_path))[0]
    assert why in refused.why
    assert "made up" in refused.why


def test_a_file_chosen_by_its_size_leaves_a_refusal_behind(save, tmp_path):
    """Where the comparison rejects it, the repair ends refused and says what is missing."""
    folder = save()
    os.unlink(folder / "model.onnx.data")
    (folder / "someone_elses.bin").write_bytes(other())
    place = site(tmp_path)
    assert len(proposals(attach_external_data, place)) == 1
    assert "sure to be the data" in refusals(attach_external_data, place)[0].why


def test_whole_models_are_left_alone(save, tmp_path):
    save()
    place = site(tmp_path)
    for fix in (attach_external_data, mend_external_fields, embed_external_data, fetch_lfs_objects):
        assert not proposals(fix, place)


@pytest.mark.parametrize(
    ("key", "value", "which"),
    [
        ("length", "16", slice(0, 2)), ("length", "99999", slice(0, 1)), ("offset", "99999", slice(1, 2)),
        ("offset", "-4", slice(2, 3)), ("offset", "64", slice(1, 2)), ("offset", None, slice(1, 2)),
        ("offset", None, slice(1, 3)), ("location", None, slice(1, 2)),
    ],
)  # fmt: skip
def test_fields_that_contradict_each_other(save, tmp_path, key, value, which):
    folder = save()
    relabel(folder / "model.onnx", key, value, which)
    mended(mend_external_fields, site(tmp_path), path="net/model.onnx")
    right(site(tmp_path))


def test_shared_bytes_are_no_fault(save, tmp_path):
    """Tied weights name the very same bytes."""
    folder = save()
    given = onnx.load(folder / "model.onnx", load_external_data=False)
    tied = given.graph.initializer.add()
    tied.CopyFrom(given.graph.initializer[0])
    tied.name = "tied"
    onnx.save(given, folder / "model.onnx")
    assert not proposals(mend_external_fields, site(tmp_path))


def test_a_guess_only_counts_when_compared(save, tmp_path):
    """All offsets are gone: the order in the file is likely, not certain."""
    folder = save()
    relabel(folder / "model.onnx", "offset", None)
    assert {each.safety for each in proposals(mend_external_fields, site(tmp_path, verify=False))} == {"unsafe"}
    mended(mend_external_fields, site(tmp_path), path="net/model.onnx")
    right(site(tmp_path))


@pytest.mark.parametrize("kept", [True, False])
def test_marks(save, tmp_path, kept):
    folder = save()
    given = onnx.load(folder / "model.onnx", load_external_data=False)
    for tensor, source in zip(given.graph.initializer, NET.graph.initializer, strict=True):
        if kept:
            tensor.raw_data = source.raw_data
        else:
            tensor.data_location = tensor.DEFAULT
    (folder / "model.onnx").write_bytes(given.SerializeToString())
    if kept:
        os.unlink(folder / "model.onnx.data")
    assert not refusals(attach_external_data, site(tmp_path))
    mended(mend_external_fields, site(tmp_path), path="net/model.onnx")
    right(site(tmp_path))


def test_sizes_of_narrow_types():
    tensor = onnx.TensorProto(data_type=onnx.TensorProto.INT4, dims=[3, 3])
    assert external.size_of(tensor) == 5
    tensor.data_type = onnx.TensorProto.FLOAT8E4M3FN
    assert external.size_of(tensor) == 9
    tensor.data_type = onnx.TensorProto.BFLOAT16
    assert external.size_of(tensor) == 18
    assert external.size_of(onnx.TensorProto(data_type=onnx.TensorProto.STRING, dims=[3])) == 0


def test_aligned_layouts(tmp_path):
    path = tmp_path / "w.bin"
    arrays = [np.full(size, value, np.float32) for size, value in ((3, 0.5), (5, 1.5), (1030, 2.5))]
    places, data = [], b""
    for array in arrays:
        data += b"\0" * (-len(data) % 4096)
        places.append(len(data))
        data += array.tobytes()
    path.write_bytes(data)
    tensors = [onnx.TensorProto(name=str(n), data_type=1, dims=[array.size]) for n, array in enumerate(arrays)]
    entries = [external.Stored(tensor, "w.bin", None, None, external.size_of(tensor)) for tensor in tensors]
    assert offsets.layouts(entries, str(path))[0].offsets == places


def test_weights_inside_for_a_tool_that_takes_bytes(save, tmp_path):
    save()
    log = "External data path for model loaded from bytes escapes working directory."
    place = site(tmp_path, causes=["external-data-missing"], log=log)
    made = mended(embed_external_data, place, path="net/model.onnx")
    np.testing.assert_array_equal(run(made, {"x": X}), WANTED)


def test_pointers_are_named_with_their_command(tmp_path):
    pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n"
    place = site(tmp_path, {"nets/a b.safetensors": pointer}, causes=["checkpoint-corrupt"])
    assert proposals(fetch_lfs_objects, place)[0].parameters["commands"] == [
        "git lfs pull --include 'nets/a b.safetensors'"
    ]
    assert "sha256:4d7a" in refusals(fetch_lfs_objects, place)[0].why


def test_the_data_of_another_model_are_not_taken_unseen(save, tmp_path):
    """An older version beside it has weights of the same name and size."""
    os.unlink(save("v2/model.onnx") / "model.onnx.data")
    (save("v1/model.onnx") / "model.onnx.data").write_bytes(other())
    assert not proposals(attach_external_data, site(tmp_path, verify=False))
    assert "v1/model.onnx.data" in refusals(attach_external_data, site(tmp_path, verify=False))[0].why
    assert len(proposals(attach_external_data, site(tmp_path))) == 1


def test_where_a_pointer_lies_only_the_object_it_names_will_do(save, tmp_path):
    data = (save() / "model.onnx.data").read_bytes()
    digest = hashlib.sha256(data).hexdigest()
    pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{digest}\nsize {len(data)}\n"
    (tmp_path / "net" / "model.onnx.data").write_text(pointer)
    (tmp_path / "net" / "old.bin").write_bytes(other())
    assert not proposals(attach_external_data, site(tmp_path))
    assert "Git LFS" in refusals(attach_external_data, site(tmp_path))[0].why
    (tmp_path / "net" / "blob").write_bytes(data)
    attached(site(tmp_path, verify=False))
