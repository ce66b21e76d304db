"""Export the model step of a registered pipeline to ONNX and say how far the answers differ.

    python to_onnx.py MODEL_FOLDER ROWS.csv model.onnx

Only the last step goes into the file: the preparation before it (missing values, categories,
dates) stays in Python, because skl2onnx has no converter for imputing missing text. Verify the
version first (registry_verify), and take its folder from the MLflow store.
"""

import sys
from pathlib import Path

import numpy as np
import onnxruntime
import pandas as pd
import skops.io
from skl2onnx import to_onnx
from sklearn.pipeline import Pipeline

from ml_orchestrator.training.trusted_types import EXTRA_TRUSTED_TYPES

TOLERANCE = 1e-4


def export(pipeline: Pipeline, rows: pd.DataFrame) -> bytes:
    """Return the last step as an ONNX model that takes the prepared rows as 32-bit floats."""
    prepared = np.asarray(pipeline[:-1].transform(rows.head(1)), dtype=np.float32)
    has_classes = hasattr(pipeline, "classes_")
    options = {"zipmap": False} if has_classes else None
    return bytes(to_onnx(pipeline[-1], prepared, options=options).SerializeToString())


def largest_difference(pipeline: Pipeline, rows: pd.DataFrame, model: bytes) -> float:
    """Return the largest difference of any probability or prediction between the two."""
    session = onnxruntime.InferenceSession(model)
    prepared = np.asarray(pipeline[:-1].transform(rows), dtype=np.float32)
    answer = session.run(None, {session.get_inputs()[0].name: prepared})[-1]
    ours = pipeline.predict_proba(rows) if hasattr(pipeline, "classes_") else pipeline.predict(rows)
    return float(np.abs(answer.reshape(ours.shape) - ours).max())


def main(folder: str, rows_file: str, target: str) -> int:
    """Write the file if it answers like the original; return 1 if it does not."""
    pipeline = skops.io.load(Path(folder) / "model.skops", trusted=list(EXTRA_TRUSTED_TYPES))
    rows = pd.read_csv(rows_file)[list(pipeline.feature_names_in_)]
    model = export(pipeline, rows)
    difference = largest_difference(pipeline, rows, model)
    sys.stdout.write(f"largest difference {difference:.2g} on {len(rows)} rows\n")
    if difference > TOLERANCE:
        return 1
    Path(target).write_bytes(model)
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
