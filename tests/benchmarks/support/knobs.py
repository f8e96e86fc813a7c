"""What a run of the benchmarks can be told, and what all of them share."""

import os
from pathlib import Path
from typing import Literal

ROOT = Path(__file__).resolve().parents[3]
SECONDS = float(os.environ.get("FIDUCIAL_BENCH_SECONDS", "10"))  # one round of one measurement
ROUNDS = int(os.environ.get("FIDUCIAL_BENCH_ROUNDS", "3"))  # in which everything compared is measured in turn
ASSERTING = os.environ.get("FIDUCIAL_BENCH_ASSERT") == "1"  # a limit not reached fails instead of being printed
CORES = len(os.sched_getaffinity(0))
CLIENTS = 16
FP32_ENGINE: Literal["onnxruntime", "openvino"] = "onnxruntime"  # of DenseNet121 fp32; the peers have the same
BODY: Literal["npy", "png"] = "png"  # what the service under test reads; the peers always get PNG
