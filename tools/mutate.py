"""One change at a time: every mutant of a module's functions and methods, from its syntax tree.

Operators, signs, dropped terms and factors, constants, comparisons and conditions, axes, argmax and argmin, sum and
mean, the order of what is returned. Validation (`require`, `raise`) is left alone: tests/test_errors.py is its test.
"""

import ast
import copy
import importlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

BINARY = {
    ast.Add: [ast.Sub],
    ast.Sub: [ast.Add],
    ast.Mult: [ast.Div],
    ast.Div: [ast.Mult],
    ast.FloorDiv: [ast.Mult],
    ast.Mod: [ast.Mult],
    ast.MatMult: [],
    ast.Pow: [ast.Mult],
    ast.BitOr: [ast.BitAnd],
    ast.BitAnd: [ast.BitOr],
}
COMPARE = {
    ast.Gt: [ast.GtE, ast.Lt],
    ast.GtE: [ast.Gt, ast.Lt],
    ast.Lt: [ast.LtE, ast.Gt],
    ast.LtE: [ast.Lt, ast.Gt],
    ast.Eq: [ast.NotEq],
    ast.NotEq: [ast.Eq],
    ast.Is: [ast.IsNot],
    ast.IsNot: [ast.Is],
    ast.In: [ast.NotIn],
}
AUGMENTED = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
}
NAMES = {
    "argmax": "argmin",
    "argmin": "argmax",
    "maximum": "minimum",
    "minimum": "maximum",
    "sum": "mean",
    "mean": "sum",
    "max": "min",
    "min": "max",
    "zeros_like": "ones_like",
    "zeros": "ones",
    "ones": "zeros",
    "sqrt": "square",
    "exp": "expm1",
    "log1p": "exp",
    "abs": "positive",
    "sign": "positive",
    "multiply": "divide",
    "float64": "float32",
}


# what checks, who does the work, and by which of several ways
LEFT_ALONE = (
    "_check",
    "check_",
    "blockwise",
    "_in_lanes",
    "_blocks",
    "_halves",
    "algorithm",
    "fastest_conv2d",
    "postponed",
    "short",
)


class Mutant(NamedTuple):
    """One change: in which module and function, the statement before and after, and what takes whose place."""

    module: str
    function: str
    before: str
    after: str
    place: int  # in the body of the module
    definition: ast.stmt

    @property
    def key(self) -> tuple[str, str, str, str]:
        """What names it in the list of equivalent mutants."""
        return self.module, self.function, self.before, self.after

    @property
    def top(self) -> str:
        """The function or class of the module in which the change is."""
        return self.definition.name


def variants(node: ast.AST) -> Iterator[ast.AST]:
    """Everything that one node may be changed into."""
    if isinstance(node, ast.BinOp):
        for kind in BINARY[type(node.op)]:
            yield ast.BinOp(node.left, kind(), node.right)
        yield node.left
        yield node.right
        yield ast.UnaryOp(ast.USub(), node)
    elif isinstance(node, ast.UnaryOp):
        yield node.operand
    elif isinstance(node, ast.Compare) and len(node.ops) == 1:
        for kind in COMPARE[type(node.ops[0])]:
            yield ast.Compare(node.left, [kind()], node.comparators)
    elif isinstance(node, ast.BoolOp):
        yield ast.BoolOp(ast.And() if isinstance(node.op, ast.Or) else ast.Or(), node.values)
    elif isinstance(node, ast.Constant) and isinstance(node.value, bool):
        yield ast.Constant(not node.value)
    elif isinstance(node, ast.Constant) and isinstance(node.value, (int, float)):
        yield ast.Constant(node.value + 1)
        if node.value:
            yield ast.Constant(0)
    elif isinstance(node, ast.Attribute) and node.attr in NAMES:
        yield ast.Attribute(node.value, NAMES[node.attr], node.ctx)
    elif isinstance(node, ast.Name) and node.id in ("min", "max"):
        yield ast.Name(NAMES[node.id], node.ctx)
    elif isinstance(node, ast.Tuple) and isinstance(node.ctx, ast.Load) and len(node.elts) > 1:
        for i in range(len(node.elts) - 1):
            swapped = list(node.elts)
            swapped[i], swapped[i + 1] = swapped[i + 1], swapped[i]
            yield ast.Tuple(swapped, node.ctx)
    elif isinstance(node, ast.Call) and ast.unparse(node.func) == "np.where":
        yield ast.Call(node.func, [node.args[0], node.args[2], node.args[1]], [])
    elif isinstance(node, ast.IfExp):
        yield node.body
        yield node.orelse
    elif isinstance(node, ast.AugAssign):
        yield ast.AugAssign(node.target, AUGMENTED[type(node.op)](), node.value)
        yield ast.Pass()


def is_validation(node: ast.AST) -> bool:
    """Whether a statement only guards the input."""
    if isinstance(node, ast.Raise):
        return True
    if isinstance(node, ast.If):
        return all(is_validation(child) for child in node.body) and not node.orelse
    calls = [n for n in ast.walk(node) if isinstance(n, ast.Call)]
    return (
        isinstance(node, (ast.Expr, ast.Assign))
        and any(ast.unparse(c.func).startswith(("require.", "_check", "check_")) for c in calls)
        and len(calls) == 1
    )


def places(function: ast.FunctionDef) -> Iterator[tuple[ast.stmt, list[Any]]]:
    """Every simple statement of a function with the path of attributes to each of its nodes."""

    def walk(node: ast.AST, path: list[Any]) -> Iterator[tuple[list[Any], ast.AST]]:
        if isinstance(node, ast.Call) and ast.unparse(node.func).startswith("require."):
            return
        yield path, node
        for name, value in ast.iter_fields(node):
            if name in ("annotation", "returns", "decorator_list", "args") and isinstance(
                node, (ast.FunctionDef, ast.AnnAssign)
            ):
                continue
            if isinstance(value, ast.AST):
                yield from walk(value, [*path, name])
            elif isinstance(value, list):
                for i, item in enumerate(value):
                    if isinstance(item, ast.AST):
                        yield from walk(item, [*path, (name, i)])

    def statements(body: list[ast.stmt]) -> Iterator[ast.stmt]:
        for statement in body:
            docstring = isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
            if docstring or is_validation(statement):
                continue
            inner = getattr(statement, "body", None)
            if not isinstance(inner, list) or isinstance(statement, ast.If):
                yield statement
            if isinstance(inner, list):
                yield from statements([*inner, *getattr(statement, "orelse", [])])

    for statement in statements(function.body):
        condition = isinstance(statement, ast.If)
        free = "reshape" in ast.unparse(statement)  # any negative size is the one that NumPy works out
        for path, node in walk(statement.test, ["test"]) if condition else walk(statement, []):
            if not (free and ast.unparse(node) == "1"):
                yield statement, [path, node]


def replaced(root: ast.AST, path: list[Any], new: ast.AST) -> ast.AST:
    """A copy of a statement with the node at `path` replaced."""
    if not path:
        return copy.deepcopy(new)
    root = copy.deepcopy(root)
    parent = root
    for step in path[:-1]:
        parent = getattr(parent, step) if isinstance(step, str) else getattr(parent, step[0])[step[1]]
    last = path[-1]
    if isinstance(last, str):
        setattr(parent, last, copy.deepcopy(new))
    else:
        getattr(parent, last[0])[last[1]] = copy.deepcopy(new)
    return root


def parsed(module: str) -> ast.Module:
    """The syntax tree of a module of the package."""
    return ast.parse(Path(importlib.import_module(f"minisiam.{module}").__file__ or "").read_text())


def functions(tree: ast.Module) -> Iterator[tuple[int, ast.FunctionDef]]:
    """Every function and method, and at which place in the module's body it stands; not what only checks."""
    for place, top in enumerate(tree.body):
        inside = top.body if isinstance(top, ast.ClassDef) else [top]
        for function in inside:
            if isinstance(function, ast.FunctionDef) and not function.name.startswith(LEFT_ALONE):
                yield place, function


def mutants(module: str) -> Iterator[Mutant]:
    """Every mutant of a module's functions."""
    tree = parsed(module)
    for place, function in functions(tree):
        for statement, (path, node) in places(function):
            for new in variants(node):
                after = replaced(statement, path, new)
                if ast.unparse(after) == ast.unparse(statement):
                    continue
                changed = ast.fix_missing_locations(Swap(statement, after).visit(tree.body[place]))
                yield Mutant(module, function.name, shown(statement), shown(after), place, changed)


def shown(statement: ast.AST) -> str:
    """A statement as it is written; of a condition the first line."""
    return ast.unparse(statement) if not isinstance(statement, ast.If) else f"if {ast.unparse(statement.test)}:"


class Swap(ast.NodeTransformer):
    """Replace one statement, rebuilding only what leads to it."""

    def __init__(self, old: ast.stmt, new: ast.AST) -> None:
        self.old, self.new = old, new

    def visit(self, node: Any) -> Any:
        if node is self.old:
            return self.new
        if not any(child is self.old for child in ast.walk(node)):
            return node
        clone = copy.copy(node)
        for name, value in ast.iter_fields(node):
            if isinstance(value, list):
                setattr(clone, name, [self.visit(v) if isinstance(v, ast.AST) else v for v in value])
            elif isinstance(value, ast.AST):
                setattr(clone, name, self.visit(value))
        return clone
