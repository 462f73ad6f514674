"""What a Python model says of itself, read from its code without running it.

``values`` are what the reading knows of a value, ``walk`` goes through statements, ``look`` through expressions,
``calls`` knows the functions of Triton, NumPy and ONNX Runtime, and ``model`` puts together what was found.
"""
