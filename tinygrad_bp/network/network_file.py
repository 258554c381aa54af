"""A network as JSON, with every number exactly as it is."""

from __future__ import annotations

import json
import math
import re
from typing import TYPE_CHECKING

from tinygrad_bp.errors import NetworkError
from tinygrad_bp.numbers.families import family_of
from tinygrad_bp.numbers.text import printed, to_float
from tinygrad_bp.quoting import quoted, shortened, visible

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from tinygrad_bp.engine.value import Value
    from tinygrad_bp.network.shapes import Activation
from tinygrad_bp.network.shapes import ACTIVATIONS

FORMAT = "tinygrad-bp network"
VERSION = 1
_LONGEST = 4000  # digits of a whole number in a file: past 4300 Python reads none


def to_text(
    weights: Sequence[Sequence[Sequence[Value]]],
    biases: Sequence[Sequence[Value]],
    activations: Sequence[Sequence[Activation]],
) -> str:
    """A network as JSON: see `Network.save`.

    Raises:
        NetworkError: a number or an activation cannot be written.
    """
    for i, layer in enumerate(activations, 1):
        for j, each in enumerate(layer, 1):
            if not isinstance(each, str):
                raise NetworkError(
                    f"the activation of node {j} of layer {i} is a function of your own: only names "
                    f"can be saved; give one of {', '.join(ACTIVATIONS)}, or pickle the network"
                )
    content = {
        "format": FORMAT,
        "version": VERSION,
        "activations": activations,
        "weights": [[[*map(_to_json, row)] for row in layer] for layer in weights],
        "biases": [[*map(_to_json, layer)] for layer in biases],
    }
    return json.dumps(content, indent=1) + "\n"


def from_text(text: bytes) -> tuple[Any, Any, Any]:
    """The weights, biases and activations in JSON that `to_text` wrote.

    Raises:
        NetworkError: it is other JSON, or of a newer version.
        ValueError: it is no JSON.
    """
    content = json.loads(
        text, parse_float=_finite, parse_constant=_finite, object_pairs_hook=_without_repeats
    )
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise NetworkError(f'it does not say "format": "{FORMAT}"')
    if content.get("version") != VERSION:
        raise NetworkError(
            f"it is of version {quoted(content.get('version'))}, and this program reads {VERSION}"
        )
    missing = {"weights", "biases", "activations"} - content.keys()
    if missing:
        raise NetworkError(f"{', '.join(sorted(missing))} missing")
    return _from_json(content["weights"]), _from_json(content["biases"]), content["activations"]


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) < len(pairs):
        keys = [key for key, _ in pairs]
        repeated = next(key for key in keys if keys.count(key) > 1)
        raise NetworkError(f"{quoted(repeated)} is there more than once")
    return content


def _to_json(leaf: Value) -> int | float | str:
    """The number of a weight or bias as JSON has it, exactly.

    Raises:
        NetworkError: JSON does not have it, or `Network.load` would not read it.
    """
    number: Any = leaf.data
    family = family_of(type(number))
    reason = ""
    if family in ("float", "numpy"):
        if math.isfinite(number) and number == float(number):
            return float(number)
        reason = "has more digits than a float" if math.isfinite(number) else "is not finite"
    elif family in ("int", "numpy integer", "fractions"):
        p, q = int(number.numerator), int(number.denominator)
        if max(abs(p), q) < 10**_LONGEST:
            return p if family != "fractions" else f"{p}/{q}"
        reason = f"has more than {_LONGEST} digits"
    reason = reason or f"is of type {type(number).__name__}"
    raise NetworkError(
        f"the network cannot be saved: {visible(leaf.label)} = {shortened(printed(number))} {reason}; a file "
        "holds finite numbers of type int, float, Fraction, and NumPy's as these: convert the weights "
        "and biases, as with float(w), or pickle the network"
    )


def _from_json(content: Any) -> Any:
    """The nested lists with every string ``"p/q"`` read as a fraction."""
    if isinstance(content, list):
        return [_from_json(each) for each in content]
    if isinstance(content, str):
        from fractions import Fraction

        try:
            digits = rf"\d{{1,{_LONGEST}}}"
            whole = re.fullmatch(rf"-?{digits}(/{digits})?", content)
            return Fraction(content if whole else "")
        except (ValueError, ZeroDivisionError):
            raise NetworkError(f"{quoted(content)} is not a fraction such as '1/3'") from None
    return content


def _finite(text: str) -> float:
    if not math.isfinite(float(text)):
        raise NetworkError(f"{shortened(text)} is not a finite number")
    try:
        return to_float(text)
    except ValueError as error:
        raise NetworkError(f"{shortened(text)} would be changed: {error}") from None
