"""Small wrongs done to a function, one at a time: a bound moved, a guard taken away, an `and` for an `or`.

Only the code of functions is changed, in the running process (`__code__`), so that everybody who imported the function
runs the mutant; no file is touched. Words, log lines and messages of errors are left alone: they decide nothing.
"""

import ast
import importlib
import inspect
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any

COMPARISONS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
}
# Calls whose arguments are words or a trail, and decide nothing.
SAY_ONLY = {"Words", "record", "info", "warning", "Conflict", "Invalid", "Forbidden", "tell"}
OTHER = {"min": "max", "max": "min", "any": "all", "all": "any"}


@dataclass(frozen=True, slots=True)
class Mutant:
    """`place` is the qualified name of the function in its module; `key` outlives other changes of the file.

    `lines`: those of the statement in which it lies, without the statements below it. Who runs none of them cannot notice it.
    """

    module: str
    place: str
    line: int
    lines: range
    label: str
    number: int
    key: str


class _Wrongs(ast.NodeTransformer):
    """Finds every wrong in a fixed order; does the one whose number is wanted."""

    def __init__(self, wanted: int | None = None) -> None:
        self.wanted = wanted
        self.found: list[tuple[str, int, range, str]] = []
        self._names: list[str] = []
        self._lines = range(0)

    def visit(self, node: ast.AST) -> Any:
        if not isinstance(node, ast.stmt):
            return super().visit(node)
        around, self._lines = self._lines, _own_lines(node)
        try:
            return super().visit(node)
        finally:
            self._lines = around

    def _offer(self, node: ast.AST, label: str, wrong: Callable[[], ast.AST]) -> Any:
        number = len(self.found)
        self.found.append((".".join(self._names), getattr(node, "lineno", 0), self._lines, label))
        if number != self.wanted:
            return node
        return ast.fix_missing_locations(ast.copy_location(wrong(), node))

    def visit_Module(self, node: ast.Module) -> ast.Module:
        node.body = [self.visit(n) if isinstance(n, ast.FunctionDef | ast.ClassDef) else n for n in node.body]
        return node

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.ClassDef:
        self._names.append(node.name)
        node.body = [self.visit(n) if isinstance(n, ast.FunctionDef) else n for n in node.body]
        self._names.pop()
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.FunctionDef:
        outermost = not self._names or not self._names[-1].endswith("()")
        self._names.append(node.name + "()" if outermost else node.name)
        node.body = [self.visit(n) for n in node.body]
        self._names.pop()
        return node

    def visit_Raise(self, node: ast.Raise) -> ast.Raise:
        return node

    def visit_JoinedStr(self, node: ast.JoinedStr) -> ast.JoinedStr:
        return node

    def visit_Call(self, node: ast.Call) -> Any:
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        if name in SAY_ONLY:
            return node
        self.generic_visit(node)
        if isinstance(node.func, ast.Name) and name in OTHER:
            other = ast.Call(ast.Name(OTHER[name], ast.Load()), node.args, node.keywords)
            return self._offer(node, f"{name} -> {OTHER[name]}", lambda: other)
        return node

    def visit_Compare(self, node: ast.Compare) -> Any:
        self.generic_visit(node)
        done: ast.AST = node
        for place, operator in enumerate(node.ops):
            new = COMPARISONS[type(operator)]()
            ops = [new if n == place else o for n, o in enumerate(node.ops)]
            label = f"{type(operator).__name__} -> {type(new).__name__} in {ast.unparse(node)[:80]}"
            changed = ast.Compare(node.left, ops, node.comparators)
            offered = self._offer(node, label, lambda changed=changed: changed)  # type: ignore[misc]  # bound now
            done = offered if offered is not node else done
        return done

    def visit_BoolOp(self, node: ast.BoolOp) -> Any:
        self.generic_visit(node)
        new: ast.boolop = ast.Or() if isinstance(node.op, ast.And) else ast.And()
        label = f"{type(node.op).__name__} -> {type(new).__name__} in {ast.unparse(node)[:80]}"
        return self._offer(node, label, lambda: ast.BoolOp(new, node.values))

    def visit_UnaryOp(self, node: ast.UnaryOp) -> Any:
        self.generic_visit(node)
        if not isinstance(node.op, ast.Not | ast.USub):
            return node
        return self._offer(node, f"without the sign of {ast.unparse(node)[:80]}", lambda: node.operand)

    def visit_BinOp(self, node: ast.BinOp) -> Any:
        self.generic_visit(node)
        swap = {ast.Add: ast.Sub, ast.Sub: ast.Add, ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd}
        new = swap.get(type(node.op))
        if new is None:
            return node
        label = f"{type(node.op).__name__} -> {new.__name__} in {ast.unparse(node)[:80]}"
        return self._offer(node, label, lambda: ast.BinOp(node.left, new(), node.right))

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AnnAssign:
        if node.value is not None:
            node.value = self.visit(node.value)
        return node

    def visit_AugAssign(self, node: ast.AugAssign) -> Any:
        self.generic_visit(node)
        new: ast.operator = ast.Sub() if isinstance(node.op, ast.Add) else ast.Add()
        if not isinstance(node.op, ast.Add | ast.Sub):
            return node
        return self._offer(
            node, f"the other sign in {ast.unparse(node)[:80]}", lambda: ast.AugAssign(node.target, new, node.value)
        )

    def visit_Constant(self, node: ast.Constant) -> Any:
        if isinstance(node.value, bool):
            return self._offer(node, f"{node.value} -> {not node.value}", lambda: ast.Constant(not node.value))
        if isinstance(node.value, int):
            more = node.value + 1
            return self._offer(node, f"{node.value} -> {more}", lambda: ast.Constant(more))
        return node

    def visit_If(self, node: ast.If) -> Any:
        guard = f"without the guard {ast.unparse(node.test)[:80]}"
        self.generic_visit(node)
        last = node.body[-1]
        if not isinstance(last, ast.Raise | ast.Return | ast.Continue):
            return node
        return self._offer(node, guard, lambda: ast.If(ast.Constant(False), node.body, node.orelse))

    def visit_Return(self, node: ast.Return) -> Any:
        whole = ast.unparse(node)[:80]
        self.generic_visit(node)
        said = node.value
        if said is None or (isinstance(said, ast.Constant) and (said.value is None or said.value is False)):
            return node  # None says no as False does
        return self._offer(node, f"return None for {whole}", lambda: ast.Return(ast.Constant(None)))


def _own_lines(statement: ast.stmt) -> range:
    below = getattr(statement, "body", None)
    end = max(below[0].lineno - 1, statement.lineno) if below else statement.end_lineno or statement.lineno
    return range(statement.lineno, end + 1)


def mutants_of(module: str) -> list[Mutant]:
    """All wrongs that can be done to the functions of a module, in the order of its text."""
    wrongs = _Wrongs()
    wrongs.visit(ast.parse(_source(module)))
    seen: Counter[tuple[str, str]] = Counter()
    made = []
    for number, (place, line, lines, label) in enumerate(wrongs.found):
        name = place.split("()")[0]
        seen[name, label] += 1
        key = f"{module}:{name}: {label} #{seen[name, label]}"
        made.append(Mutant(module, name, line, lines, label, number, key))
    return made


@contextmanager
def done(mutant: Mutant) -> Iterator[None]:
    """Let the function be wrong until this is left."""
    function = function_of(mutant.module, mutant.place)
    tree = _Wrongs(mutant.number).visit(ast.parse(_source(mutant.module)))
    compiled = compile(tree, str(_path(mutant.module)), "exec")
    right = function.__code__
    function.__code__ = next(c for c in codes_of(compiled) if c.co_qualname == mutant.place)
    try:
        yield
    finally:
        function.__code__ = right


def function_of(module: str, place: str) -> FunctionType:
    found: object = importlib.import_module(module)
    for name in place.split("."):
        found = inspect.getattr_static(found, name)
    if isinstance(found, property):
        found = found.fget
    found = inspect.unwrap(getattr(found, "__func__", found))  # type: ignore[arg-type]  # a function by what we mutate
    assert isinstance(found, FunctionType), f"{module}:{place} is no function"
    return found


def codes_of(code: CodeType) -> Iterator[CodeType]:
    """This code and what is written inside it: comprehensions, lambdas, inner functions."""
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from codes_of(constant)


def _path(module: str) -> Path:
    file = importlib.import_module(module).__file__
    assert file is not None
    return Path(file)


def _source(module: str) -> str:
    return _path(module).read_text()
