"""ONNX graphs: what fixes, backends and descriptions share. ``onnx`` is imported inside functions only."""
