"""What users pass becomes NumPy arrays, in one place: by the annotations of the function that they call.

    Float[Array, "n d"]   float32 and float64 arrays, unchanged and without a copy; in the other byte order, converted.
                          Lists, and whatever else has no dtype, become float64, as in NumPy; a single number takes the
                          dtype of the array before it. Integers are refused: pictures of 0 to 255 need a division.
    Int[Array, "n"]       integers become int64 (uint64 stays if a label needs it). Text stays text: names are labels.
    Bool[Array, "n"]      booleans only: papers disagree on whether 0 or 1 means same.

`op` reads the arguments of every op in this way, and `reads_arrays` those of miners, samplers and evaluation. A pandas
object is read by position. Anything that holds more than its numbers is refused with a remedy: a mask, a gradient, a
device, missing values.
"""

from __future__ import annotations

import re
from functools import partial, wraps
from inspect import signature
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar, cast

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from .typing import Array

    Read = Callable[[tuple[Any, ...], dict[str, Any]], tuple[list[Any], dict[str, Any]]]

F = TypeVar("F", bound="Callable[..., Any]")
FLOATS = (np.dtype(np.float32), np.dtype(np.float64))
LABELS = np.dtype(np.int64)
MISSING = ("nan", "None", "<NA>")  # as text, in NumPy and in pandas
ANNOTATION = re.compile(
    r"(Float|Int|Bool)\[Array, '([^']*)'\]( \| None)?"
)  # as `from __future__ import annotations` writes it


def reads_arrays(function: F) -> F:
    """Convert the array arguments of a function before it is called, as its annotations say."""
    read = reader(function)

    @wraps(function)
    def reading(*arguments: Any, **keywords: Any) -> Any:
        arguments, keywords = read(arguments, keywords)  # type: ignore[assignment]
        return function(*arguments, **keywords)

    return cast("F", reading)


def reader(function: Callable[..., Any]) -> Read:
    """Return `read(arguments, keywords)`, which converts the array arguments of a function."""
    parameters = signature(function).parameters.values()
    by_name = {p.name: _conversion(p.name, str(p.annotation)) for p in parameters}
    in_order = [by_name[p.name] for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    rest = next((by_name[p.name] for p in parameters if p.kind is p.VAR_POSITIONAL), None)

    def read(arguments: tuple[Any, ...], keywords: dict[str, Any]) -> tuple[list[Any], dict[str, Any]]:
        found: list[Any] = []
        for number, value in enumerate(arguments):
            convert = in_order[number] if number < len(in_order) else rest
            found.append(convert(value, found) if convert else value)
        for name, value in keywords.items():
            if convert := by_name.get(name):
                keywords[name] = convert(value, found)
        return found, keywords

    return read


def _conversion(name: str, annotation: str) -> Callable[[Any, list[Any]], Any] | None:
    """The conversion that an annotation asks for: `convert(value, arguments before it)`."""
    parts = ANNOTATION.fullmatch(annotation)
    if not parts:
        return None
    kind, axes = parts[1], len(parts[2].split())
    convert = {"Float": _floats, "Int": _labels, "Bool": _booleans}[kind]
    if parts[3]:
        return lambda value, before: None if value is None else convert(value, before, name, axes)
    return partial(convert, name=name, axes=axes)


def floats(name: str, value: Any) -> Array:
    """Return floating-point numbers as an array of float32 or float64."""
    return _floats(value, (), name, 2)


def labels(name: str, value: Any) -> Array:
    """Return labels as an array of integers or text."""
    return _labels(value, (), name, 1)


def booleans(name: str, value: Any) -> Array:
    """Return booleans as an array."""
    return _booleans(value, (), name, 1)


def plain(name: str, value: Any) -> Array:
    """Return numbers as an array of their own dtype, in the byte order of this machine."""
    array = _array(name, value, 2)
    if array.dtype.kind not in "fiub":
        _refuse_numbers(name, array, value)
    return array


def _floats(value: Any, before: Any, name: str, axes: int) -> Any:
    if type(value) is np.ndarray and value.dtype in FLOATS:
        return value
    if hasattr(value, "map_rows"):  # a distance matrix that computes its rows on demand
        return value
    if hasattr(value, "_value") and value.dtype in FLOATS:  # an array on autograd's tape
        return value
    if isinstance(value, (int, float)) and not isinstance(value, (bool, np.generic)):
        return np.asarray(
            value, next((a.dtype for a in reversed(before) if hasattr(a, "dtype") and a.dtype in FLOATS), float)
        )
    array = _array(name, value, axes)
    if array.dtype in FLOATS:
        return array
    if array.dtype.kind in "iu" and array.ndim < 3 and _has_no_dtype(value):
        return array.astype(np.float64)
    return _refuse_numbers(name, array, value)


def _labels(value: Any, before: Any, name: str, axes: int) -> Any:
    if type(value) is np.ndarray and value.dtype == LABELS and value.dtype.isnative:
        return value
    array = _array(name, value, axes)
    kind = array.dtype.kind
    if kind in "iu":
        return array if array.max(initial=0) > np.iinfo(np.int64).max else array.astype(np.int64)
    if kind in "US" and (hasattr(value, "dtype") or all(isinstance(label, (str, bytes)) for label in value)):
        return array
    if array.size == 0 and not hasattr(value, "dtype"):
        return array.astype(np.int64)
    if kind in "OT" and all(isinstance(label, str) for label in array.flat):
        return array.astype(np.str_)
    return _refuse_labels(name, array, value)


def _booleans(value: Any, before: Any, name: str, axes: int) -> Any:
    array = _array(name, value, axes)
    if array.dtype == np.bool_:
        return array
    if array.dtype.kind == "O" and all(isinstance(entry, bool) for entry in array.flat):
        return array.astype(np.bool_)
    if array.size == 0 and not hasattr(value, "dtype"):
        return array.astype(np.bool_)
    return _refuse_booleans(name, array, value, axes)


def _array(name: str, value: Any, axes: int) -> Array:
    """The value as a plain array in the byte order of this machine, if nothing but its numbers is lost."""
    _refuse_containers(name, value, axes)
    parts = value if isinstance(value, (list, tuple)) else ()
    for number, part in enumerate(parts):
        if not isinstance(part, (np.generic, list, tuple, int, float, str)):
            _refuse_containers(f"{name}[{number}]", part, axes - 1)
    try:
        array = np.asarray(value.to_numpy() if hasattr(value, "to_numpy") else value)
    except Exception as error:
        if parts and "inhomogeneous" in str(error):
            _refuse_ragged(name, value)
        raise TypeError(f"{name} cannot be read as an array, {type(value).__name__} says: {error}") from error
    if array.dtype.kind == "O" and hasattr(value, "to_numpy"):  # pandas keeps some columns of numbers as objects
        again = np.asarray(array.tolist())
        array = again if again.dtype.kind in "fiub" else array
    return array if array.dtype.isnative else array.astype(array.dtype.newbyteorder("="))


def _has_no_dtype(value: Any) -> bool:
    """Whether these are Python's numbers, in lists or tuples."""
    while isinstance(value, (list, tuple)) and value:
        value = value[0]
    return isinstance(value, (int, list, tuple))


def _may_be_pictures(array: Array) -> bool:
    """Whether these integers look like the pixels of pictures, from 0 to 255."""
    return (
        array.dtype == np.uint8 or array.ndim > 2 or (array.min(initial=255) >= 0 and 200 < array.max(initial=0) < 256)
    )


def _is_missing(entry: Any) -> bool:
    return str(entry) in MISSING


def _numeric(entry: Any) -> bool:
    """Whether this is a number, or text that can be read as one."""
    try:
        float(entry)
    except (TypeError, ValueError):
        return _is_missing(entry)
    return True


# ------------------------------------------------------------------------------------- refusals, each with a remedy


def _refuse_containers(name: str, value: Any, axes: int) -> None:
    """Raise a TypeError if an array made of this value would lose something."""
    if type(value) is np.ndarray:
        return
    if value is None:
        raise TypeError(f"{name} must be an array, not None")
    if isinstance(value, np.matrix):
        flat = ".ravel()" if axes == 1 else ""
        raise TypeError(f"{name} is a np.matrix, whose * is a matrix product: np.asarray({name}){flat}")
    if isinstance(value, np.ma.MaskedArray):
        raise TypeError(f"{name} is a masked array. Leave the masked rows out, or give them a value: {name}.filled(0)")
    if hasattr(value, "toarray"):
        raise TypeError(f"{name} is a sparse matrix: {name}.toarray()")
    if getattr(value, "requires_grad", False) or "cpu" not in str(getattr(value, "device", "cpu")).lower():
        remedy = f"{name}.detach().cpu().numpy()" if hasattr(value, "detach") else f"np.asarray({name})"
        raise TypeError(f"{name} is a tensor with a gradient or on a device, which NumPy does not know: {remedy}")
    if isinstance(value, dict):
        raise TypeError(f"{name} must be an array, not a dict: list({name}.values())")
    if hasattr(value, "__iter__") and not (hasattr(value, "__getitem__") or hasattr(value, "__array__")):
        raise TypeError(f"{name} must be an array, not a {type(value).__name__}: list({name})")


def _without_missing(name: str) -> str:
    return f"keep = ~np.isin(np.asarray({name}).astype(str), {list(MISSING)})"


def _refuse_ragged(name: str, value: Any) -> NoReturn:
    """Raise a TypeError for rows of several lengths, or for entries of several shapes."""
    lengths = [len(row) for row in value if hasattr(row, "__len__") and not any(hasattr(x, "__len__") for x in row)]
    if len(lengths) < len(value) or len(set(lengths)) == 1:
        raise TypeError(f"{name} must have entries of one shape: resize the pictures to one size before")
    raise TypeError(
        f"{name} must have rows of one length, not of {min(lengths)} to {max(lengths)}. To cut them to the shortest: "
        f"[row[:{min(lengths)}] for row in {name}]"
    )


def _refuse_numbers(name: str, array: Array, value: Any) -> NoReturn:
    """Raise a TypeError for an array that is not of float32 or float64."""
    kind, remedy = array.dtype.kind, f"np.asarray({name}, np.float32)"
    if array.dtype.names:
        remedy = f"np.stack([{name}[field] for field in {name}.dtype.names], axis=-1)"
    elif kind == "f" and array.dtype.itemsize > 8:
        remedy = f"np.asarray({name}, np.float64)"
    elif kind == "c":
        remedy = f"np.real({name})"
    elif kind in "iu" and _may_be_pictures(array):
        remedy = f"np.asarray({name}, np.float32) / 255 for pictures with values from 0 to 255"
    elif kind in "OUS" and (strange := [entry for entry in array.flat if not _numeric(entry)]):
        remedy = f"leave out what is not a number, such as {strange[0]!r}"
    elif kind == "O" and hasattr(value, "to_numpy"):
        remedy = f"{name}.to_numpy(np.float32, na_value=np.nan), and leave out what is missing"
    elif kind in "mM":
        remedy = f"np.asarray({name}).astype(np.float32)"
    got = array.dtype if hasattr(value, "dtype") else f"{type(value).__name__} of {array.dtype}"
    raise TypeError(f"{name} must be a floating-point array, float32 or float64, not {got}: {remedy}")


def _refuse_labels(name: str, array: Array, value: Any) -> NoReturn:
    """Raise a TypeError for an array that holds neither integers nor text."""
    remedy = f"np.unique({name}, return_inverse=True)[1] numbers classes from 0"
    if array.ndim == 2 and array.shape[1] > 1 and array.dtype.kind in "fb":
        remedy = f"np.argmax({name}, axis=1) if each row marks its class with the largest entry"
    elif any(map(_is_missing, array.flat)):
        remedy = f"leave out what has no class with {_without_missing(name)}"
    elif array.dtype.kind in "OUS" or (isinstance(value, (list, tuple)) and all(type(v) is int for v in value)):
        remedy = f"[str(label) for label in {name}]"
    got = array.dtype if hasattr(value, "dtype") else f"{type(value).__name__} of {array.dtype}"
    raise TypeError(f"{name} must be an array of integers or of names, one class per row, not {got}: {remedy}")


def _refuse_booleans(name: str, array: Array, value: Any, axes: int) -> NoReturn:
    """Raise a TypeError for an array that does not hold booleans."""
    got = array.dtype if hasattr(value, "dtype") else f"{type(value).__name__} of {array.dtype}"
    if any(map(_is_missing, array.flat)):
        raise TypeError(f"{name} must be a boolean array, without missing values: {_without_missing(name)}")
    if name != "same" or array.ndim == 2:
        raise TypeError(f"{name} must be a boolean array, not {got}: np.asarray({name}) == 1")
    if axes == 2:
        raise TypeError(
            f"same must be a boolean array, True where a query and a support image have the same class, not {got}: "
            "labels[:, None] == support_labels"
        )
    raise TypeError(
        f"same must be a boolean array, True where both images show one class, not {got}. If your labels follow "
        "Hadsell et al. (0 = similar), pass np.asarray(same) == 0; if 1 means same, as in cross-entropy, pass "
        "np.asarray(same) == 1"
    )
