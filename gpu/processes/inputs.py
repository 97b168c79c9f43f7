"""Inputs: what models are called with, under the names that requests give them."""

from __future__ import annotations

from typing import Any

import torch

import values
from devices import copy_of
from failures import BadRequest


class Inputs:
    """One worker's, each a private copy that no call gets to change. Some are locked: they are
    opened where a timed call gets them, and nowhere before that."""

    __slots__ = ("named",)

    def __init__(self) -> None:
        self.named: dict[str, list[Any]] = {}

    def __getitem__(self, name: str) -> list[Any]:
        if name not in self.named:
            raise BadRequest(f"there are no inputs named '{name}'")
        return self.named[name]

    def read(self, name: str, fd: int, place: values.Place, key: str = "") -> None:
        """They take the place of those with the same name, and are opened if there is a key."""
        self.named[name] = values.read(fd, places_in(self.named.get(name), place))
        if key:
            values.toggle_lock(self.named[name], key)

    def copy(self, name: str, inputs: list[Any], place: values.Place) -> None:
        """Keeps what `read` would, had they come in a file."""
        self.named.pop(name, None)
        self.named[name] = values.copied(inputs, place)

    def reserve(self, name: str, others: list[str]) -> None:
        """Makes room for others like these, under their names: they come while calls are timed, and
        a call after them finds its memory as others do."""
        for other in others:
            if other not in self.named:
                self.named[other] = copy_of(self[name])

    def forget_all_but(self, names: list[str]) -> None:
        self.named = {name: self[name] for name in names}


def places_in(room: Any, otherwise: values.Place) -> values.Place:
    """Returns what gives the tensors of `room`, one by one, as long as they fit."""
    targets = iter(values.tensors_of(room))

    def place(shape: list[int], dtype: torch.dtype) -> torch.Tensor:
        target = next(targets, None)
        fits = target is not None and list(target.shape) == shape and target.dtype == dtype
        return target if fits else otherwise(shape, dtype)

    return place


Memory = list[tuple[int, int, int]]  # (target, source, bytes)


def laid_out(sequence: list[Any]) -> list[tuple[tuple[Any, ...], Memory]]:
    """Returns for each of these inputs the arguments of a call, and the memory to copy before it:
    inputs of the same shapes come at the same addresses, one after the other."""
    rooms: dict[tuple[Any, ...], list[torch.Tensor]] = {}
    calls = []
    for pristine in sequence:
        sources = values.tensors_of(pristine)
        shapes = tuple((tensor.shape, tensor.dtype) for tensor in sources)
        if shapes not in rooms:
            rooms[shapes] = copy_of(sources)
        targets = iter(rooms[shapes])
        arguments = values.map_tensors(pristine, lambda _: next(targets))
        memory = [(target.data_ptr(), source.data_ptr(), source.numel() * source.element_size())
                  for target, source in zip(rooms[shapes], sources) if source.numel()]
        calls.append((tuple(arguments), memory))
    return calls


def differ(left: Any, right: Any) -> bool:
    pairs = zip(values.tensors_of(left), values.tensors_of(right), strict=True)
    return not all(values.same_bytes(a, b) for a, b in pairs)
