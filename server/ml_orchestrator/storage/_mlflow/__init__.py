"""What all doors to MLflow share: its answers within limits, the files it keeps, its errors."""

import os

from ml_orchestrator.storage.mlflow_defaults import mlflow_defaults

os.environ.update(mlflow_defaults(os.environ))  # before any module here imports MLflow

# Whichever module of this package a door imports, MLflow's answers have limits from then on.
from ml_orchestrator.storage._mlflow import answers as answers
