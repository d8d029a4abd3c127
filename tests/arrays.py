"""Containers of numbers that are not plain arrays, made from arrays: those that are read and those that are refused."""

import warnings

import numpy as np


class Frame:
    """What the package reads of a pandas object: the values by position; its index says something else."""

    def __init__(self, array):
        self.array, self.dtype = array, array.dtype
        self.index = np.arange(len(array))[::-1]

    def to_numpy(self, dtype=None, na_value=None):
        return self.array if dtype is None else np.where(self.array == None, na_value, self.array).astype(dtype)  # noqa: E711

    def __array__(self, dtype=None, copy=None):
        return self.array if dtype is None else self.array.astype(dtype)

    def __len__(self):
        return len(self.array)

    def __getitem__(self, key):
        raise AssertionError("read by its index")


class Tensor:
    """What the package reads of a PyTorch tensor; one with a gradient or on a device is no array."""

    def __init__(self, array, device="cpu", requires_grad=False):
        self.array, self.device, self.requires_grad = array, device, requires_grad
        self.dtype, self.ndim = array.dtype, array.ndim

    def __array__(self, dtype=None, copy=None):
        if self.device != "cpu" or self.requires_grad:
            raise TypeError("use tensor.detach().cpu() first")
        return self.array if dtype is None else self.array.astype(dtype)

    def detach(self):
        return Tensor(self.array, self.device)

    def cpu(self):
        return Tensor(self.array, "cpu", self.requires_grad)

    def numpy(self):
        return np.asarray(self)


class Sparse:
    """What the package reads of a scipy.sparse matrix."""

    def __init__(self, array):
        self.array, self.dtype = array, array.dtype

    def toarray(self):
        return self.array


class OnDevice:
    """What the package reads of a JAX array on an accelerator: it becomes an array only when the user asks."""

    def __init__(self, array):
        self.array, self.device, self.dtype = array, "TPU_0", array.dtype

    def __array__(self, dtype=None, copy=None):
        return self.array


def matrix(array):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PendingDeprecationWarning)
        return np.matrix(array)


def read_only(array):
    array = array.copy()
    array.flags.writeable = False
    return array


def strided(array):
    return np.repeat(array, 2, axis=-1)[..., ::2] if array.ndim else array


def in_a_list(array):
    return array.tolist() if array.ndim else array.item()


def in_tuples(array):
    return tuple(map(in_tuples, array)) if array.ndim else array.item()


READ = {
    "a list": in_a_list,
    "tuples": in_tuples,
    "a list of arrays": lambda array: list(array) if array.ndim else array,
    "a data frame": lambda array: Frame(array) if array.ndim else array,
    "a tensor": Tensor,
    "read-only": read_only,
    "strided": strided,
    "Fortran order": lambda array: array.copy(order="F"),
    "the other byte order": lambda array: array.astype(array.dtype.newbyteorder("S")),
    "a subclass": lambda array: array.view(np.recarray),
}
