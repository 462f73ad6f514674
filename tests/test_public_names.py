"""What ``import triage`` promises, in whichever order its parts are loaded."""

import subprocess
import sys

import pytest

LOG = "ModuleNotFoundError: No module named 'onnx'"
WAYS = {
    "at once": "import triage; f = triage.diagnose",
    "by name": "from triage import diagnose as f",
    "after a part": "from triage.diagnose.rank import rank; import triage; f = triage.diagnose",
    "again": "import triage; triage.diagnose(b'x'); f = triage.diagnose",
}


@pytest.mark.parametrize("way", WAYS)
def test_the_public_function_can_be_called(way):
    code = f"{WAYS[way]}\nprint(f({LOG!r}, name='a.log').diagnosis.incidents[0].causes[0].id)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "python-dependency-missing", done.stderr
