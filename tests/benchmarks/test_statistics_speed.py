"""What the statistics cost at the size of a large archive, held against scikit-learn in the same process.

``make bench`` prints the figures that stand in ``docs/benchmarks.md``. Each measurement runs in a process of its own,
so that its peak memory is its own.
"""

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.benchmark
ROOT = Path(__file__).parents[2]
DELONG_SECONDS, BOOTSTRAP_SECONDS, BOOTSTRAP_MIB = 2.0, 30.0, 1024.0

PREAMBLE = """
import json, re, time
from pathlib import Path
import numpy as np
from sklearn.metrics import roc_auc_score

def seconds(call, rounds):
    spent = []
    for _ in range(rounds):
        begun = time.perf_counter()
        call()
        spent.append(time.perf_counter() - begun)
    return float(np.median(spent))

def peak_mib():
    # Not ru_maxrss: that begins at the size of the process that started this one.
    return int(re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1]) / 1024
"""

DELONG = """
from evidence.statistics import roc

draw = np.random.default_rng(0)
labels = np.arange(1_000_000) % 2
a, b = draw.normal(labels, 1.0), draw.normal(labels, 1.0)
before = peak_mib()
one = seconds(lambda: roc.auroc(labels, a), 5)
two = seconds(lambda: roc.paired_difference(labels, a, b), 5)
ours = peak_mib()
peer = seconds(lambda: roc_auc_score(labels, a), 5)
print(json.dumps({"one": one, "two": two, "peer": peer, "before": before, "peak": ours}))
"""

BOOTSTRAP = """
from evidence.statistics import bootstrap_auroc, clustered

draw = np.random.default_rng(0)
patient = draw.integers(0, 40_000, 100_000)
labels = ((draw.random(40_000) < 0.3)[patient] ^ (draw.random(100_000) < 0.05)).astype(int)
scores = labels + draw.normal(0, 1, 40_000)[patient] + draw.normal(0, 1, 100_000)
before = peak_mib()
bca = seconds(lambda: bootstrap_auroc.auroc(labels, scores, patient), 1)
ours = peak_mib()
obuchowski = seconds(lambda: clustered.auroc(labels, scores, patient), 5)
rows = draw.integers(0, 100_000, 100_000)
peer = seconds(lambda: roc_auc_score(labels[rows], scores[rows]), 7)
print(json.dumps({"bca": bca, "obuchowski": obuchowski, "peer": peer, "before": before, "peak": ours}))
"""


def measured(script: str) -> dict[str, float]:
    """What a script prints when it is run alone with one thread."""
    command = [sys.executable, "-c", PREAMBLE + script]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=300)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def test_delong_on_a_million_cases(capsys: pytest.CaptureFixture[str]) -> None:
    found = measured(DELONG)
    with capsys.disabled():
        sys.stdout.write(
            "\n\nDeLong on 1,000,000 cases, median of 5\n\n"
            "| what | seconds | times roc_auc_score |\n|---|---|---|\n"
            f"| area with interval | {found['one']:.2f} | {found['one'] / found['peer']:.2f} |\n"
            f"| paired difference | {found['two']:.2f} | {found['two'] / found['peer']:.2f} |\n"
            f"| scikit-learn roc_auc_score (area alone) | {found['peer']:.2f} | 1 |\n\n"
            f"Peak memory {found['peak']:.0f} MiB ({found['before']:.0f} before).\n"
        )
    assert found["one"] < DELONG_SECONDS
    assert found["two"] < 2 * DELONG_SECONDS


def test_bca_bootstrap_by_patient_on_a_hundred_thousand_cases(capsys: pytest.CaptureFixture[str]) -> None:
    found = measured(BOOTSTRAP)
    with capsys.disabled():
        sys.stdout.write(
            "\n\nBCa interval of AUROC, 2,000 resamples of 40,000 patients with 100,000 cases\n\n"
            "| what | seconds |\n|---|---|\n"
            f"| BCa by patient, leaving each patient out included | {found['bca']:.2f} |\n"
            f"| Obuchowski's interval of the same | {found['obuchowski']:.3f} |\n"
            f"| scikit-learn roc_auc_score, once · 2,000 | {2000 * found['peer']:.0f} |\n\n"
            f"{2000 * found['peer'] / found['bca']:.0f} times faster than calling scikit-learn for each resample; "
            f"peak memory {found['peak']:.0f} MiB ({found['before']:.0f} before).\n"
        )
    assert found["bca"] < BOOTSTRAP_SECONDS
    assert found["peak"] < BOOTSTRAP_MIB
