"""ONNX graphs of saved pipelines, from raw columns to answers; needs the extra ``onnx``."""
