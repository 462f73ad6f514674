"""Headers of stored arrays: every version that NumPy writes; nothing is unpickled, and no text is taken for one."""

import io

import numpy as np
import pytest
from numpy.lib import format as layout

from triage import npy


@pytest.mark.parametrize("version", [(1, 0), (2, 0), (3, 0)])
@pytest.mark.parametrize("shape", [(), (0, 4), (2, 3, 5)])
def test_a_header_is_read_and_the_values_follow(version, shape):
    array = np.ones(shape, np.float16)
    stream = io.BytesIO()
    layout.write_array(stream, array, version)
    stream.seek(0)
    assert npy.header(stream) == (shape, np.dtype("float16"))
    assert len(stream.read()) == array.nbytes


def test_pickled_objects_are_not_loaded():
    stream = io.BytesIO()
    np.save(stream, np.array([print], object), allow_pickle=True)
    stream.seek(0)
    assert npy.header(stream) == ((1,), np.dtype(object))


@pytest.mark.parametrize("data", [b"", b"text", b"\x93NUMPY", b"\x93NUMPY\x01\0\xff\xff{", b"\x93NUMPY\x09\0\0\0"])
def test_what_is_no_array_is_told(data):
    with pytest.raises(ValueError, match=r"."):
        npy.header(io.BytesIO(data))
