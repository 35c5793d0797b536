"""Models that were not trained here: files of TorchScript or ONNX, and programs."""
