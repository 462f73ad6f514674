"""Reference against deployed outputs: whether two models, or a model and its source, are equal within tolerance.

``prove`` decides what can be compared, ``run`` runs models in child processes, ``verdict`` compares arrays.
What cannot be compared is never called equal.
"""
