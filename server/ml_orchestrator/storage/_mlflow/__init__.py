"""What both doors to MLflow share: its answers within limits, the files it keeps, its errors."""

import os

from ml_orchestrator.storage.mlflow_defaults import mlflow_defaults

os.environ.update(mlflow_defaults(os.environ))  # before any module here imports MLflow
