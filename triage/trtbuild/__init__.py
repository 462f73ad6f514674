"""What a TensorRT build is told, whichever way it is written: settings, the carriers that hold them, and their repair.

``settings`` is the model; ``carriers`` finds where it is written (our own JSON, a trtexec or Polygraphy command, a
Python script, a data file) and writes it back; ``inputs`` says what the model and the build ask for; ``ranges``
puts profiles right. ``onnx``, ``numpy`` and ``libcst`` are imported inside functions only.
"""
