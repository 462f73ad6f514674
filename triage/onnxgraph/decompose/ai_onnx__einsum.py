"""Einsum of one or two operands: diagonals aside, every sum of products is a MatMul between transposed tensors."""

from __future__ import annotations

from triage.onnxgraph.decompose._work import CannotRewrite, Work


def rewrite(work: Work) -> None:
    """Transpose, sum what one operand alone has, MatMul over what both share, Transpose."""
    terms, result = _letters(work)
    if len(terms) > 2:
        raise CannotRewrite("it has more than two operands")
    names = [work.need(place) for place in range(len(terms))]
    if len(terms) == 1:
        name, letters = _summed(work, names[0], terms[0], set(result))
        work.give(0, _ordered(work, name, letters, result))
        return
    kept = [set(result) | set(terms[1 - side]) for side in range(2)]
    (left, first), (right, second) = (_summed(work, names[side], terms[side], kept[side]) for side in range(2))
    batch = [each for each in first if each in second and each in result]
    inner = [each for each in first if each in second and each not in result]
    rows = [each for each in first if each not in second]
    columns = [each for each in second if each not in first]
    left = _matrix(work, left, first, (batch, rows, inner))
    right = _matrix(work, right, second, (batch, inner, columns))
    product = work.build.add("MatMul", left, right)
    shape = _shape(work, names, terms, [*batch, *rows, *columns])
    whole = work.build.add("Reshape", product, shape) if shape else work.build.reshape(product, [])
    work.give(0, _ordered(work, whole, [*batch, *rows, *columns], result))


def _letters(work: Work) -> tuple[list[list[str]], list[str]]:
    equation = "".join(str(work.attribute("equation")).split())
    if "." in equation:
        raise CannotRewrite("its equation has an ellipsis")
    left, arrow, right = equation.partition("->")
    terms = [list(term) for term in left.split(",")]
    if not arrow:
        every = [letter for term in terms for letter in term]
        right = "".join(sorted(letter for letter in set(every) if every.count(letter) == 1))
    if any(len(set(term)) != len(term) for term in terms) or len(set(right)) != len(right):
        raise CannotRewrite("its equation takes a diagonal")
    return terms, list(right)


def _summed(work: Work, name: str, letters: list[str], kept: set[str]) -> tuple[str, list[str]]:
    """Without the dimensions that nobody else has."""
    axes = [axis for axis, letter in enumerate(letters) if letter not in kept]
    if axes:
        name = work.build.over("ReduceSum", name, axes, keepdims=0)
    return name, [letter for letter in letters if letter in kept]


def _ordered(work: Work, name: str, letters: list[str], wanted: list[str]) -> str:
    order = [letters.index(letter) for letter in wanted]
    return name if order == sorted(order) else work.build.add("Transpose", name, perm=order)


def _matrix(work: Work, name: str, letters: list[str], groups: tuple[list[str], list[str], list[str]]) -> str:
    """A tensor of the batch dimensions and two more, each group of letters joined into one."""
    turned = _ordered(work, name, letters, [letter for group in groups for letter in group])
    shape = work.build.add("Shape", turned)
    sizes, place = [], 0
    for number, group in enumerate(groups):
        parts = [work.build.add("Gather", shape, work.build.ints(place + each), axis=0) for each in range(len(group))]
        place += len(group)
        sizes += parts if number == 0 else [_product(work, parts)]
    return work.build.add("Reshape", turned, work.build.add("Concat", *sizes, axis=0))


def _product(work: Work, parts: list[str]) -> str:
    if not parts:
        return work.build.ints(1)
    result = parts[0]
    for part in parts[1:]:
        result = work.build.add("Mul", result, part)
    return result


def _shape(work: Work, names: list[str], terms: list[list[str]], letters: list[str]) -> str:
    """The size of each letter; of two sizes the larger, for one of them may be 1."""
    sizes = []
    for letter in letters:
        found = [
            work.build.size(name, term.index(letter)) for name, term in zip(names, terms, strict=True) if letter in term
        ]
        sizes.append(work.build.add("Max", *found) if len(found) > 1 else found[0])
    return work.build.add("Concat", *sizes, axis=0) if sizes else ""
