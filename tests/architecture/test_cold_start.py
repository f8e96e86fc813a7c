"""`fiducial --help` answers at once: no heavy library is imported for it (torch and MONAI alone cost 20 s)."""

import subprocess
import sys
from pathlib import Path

HEAVY = {"torch", "monai", "mlflow", "evidently", "prefect", "sklearn", "bentoml", "openvino", "onnxruntime", "dvc"}
PROBE = """
import sys
sys.argv = ["fiducial", "--help"]
from pipelines.cli import main
try:
    main()
except SystemExit as ended:
    assert not ended.code, ended.code
print("modules:", *{name.partition(".")[0] for name in sys.modules})
"""


def test_help_imports_no_heavy_library(root: Path) -> None:
    finished = subprocess.run([sys.executable, "-c", PROBE], cwd=root, capture_output=True, text=True, check=True)
    imported = set(finished.stdout.rpartition("modules:")[2].split())
    assert "pipelines" in imported
    assert imported & HEAVY == set()
