"""Write the parts of the documentation that are built from what runs: ``python docs/build.py``.

``operations.md`` comes from the table of rules, the pictures from the renderers.  A test holds
``operations.md`` to the table.
"""

from __future__ import annotations

from pathlib import Path

from tinygrad_bp import RULES, Network, Value, tanh

DOCS = Path(__file__).parent


def operations() -> str:
    """The page of operations, from the table."""
    rows = [
        "| operation | value | derivatives | domain | at a kink |",
        "| --- | --- | --- | --- | --- |",
    ]
    for rule in RULES.values():
        derivatives = ", ".join(f"`{each}`" for each in rule.derivatives)
        kink = f"`{rule.kink}`: {', '.join(rule.convention)}" if rule.kink else ""
        domain = f"`{rule.domain}`" if rule.domain else ""
        rows.append(f"| `{rule.name}` | `{rule.value}` | {derivatives} | {domain} | {kink} |")
    return f"""\
# The operations

Built from the table in `tinygrad_bp/rules.py` by `python docs/build.py`: one row each, and nothing
else in the project knows an operation.  `x` and `y` are the operands, `out` is the output.  Outside
the domain there is a `DomainError`; at a kink the derivative is what the last column says.  `fsum`
and `dot` take lists; their derivatives are those for one element.

{chr(10).join(rows)}
"""


def main() -> None:
    """Write everything."""
    import viz

    (DOCS / "operations.md").write_text(operations(), encoding="utf-8")
    pictures = DOCS / "pictures"
    pictures.mkdir(exist_ok=True)
    w, x, b, t = Value(0.5, "w"), Value(2.0, "x"), Value(0.1, "b"), Value(1.0, "t")
    e = (t - tanh(w * x - b)) ** 2
    e.label = "e"
    e.backward()
    viz.save(viz.draw(e), pictures / "chain.svg", overwrite=True)
    net = Network.random([2, 3, 3, 2], "tanh", seed=7)
    run = net.forward([0.8, -0.5], [0.3, -0.2])
    run.e.backward()
    viz.save(viz.network(run, weight=(1, 2, 1)), pictures / "network.svg", overwrite=True)


if __name__ == "__main__":
    main()
