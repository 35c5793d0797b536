"""The engine of the suite: data, training, evaluation and runs. It knows no particular method.

In a notebook, `import bench` gives the functions of `bench.interface`: `methods`, `run`, `load`,
`inpaint` and `evaluate`. They are imported at their first use.
"""

TYPE_CHECKING = False  # as type checkers know it; to import `typing` would take longer than this
if TYPE_CHECKING:
    from bench.interface import evaluate, inpaint, load, methods, run

__all__ = ["evaluate", "inpaint", "load", "methods", "run"]
__version__ = "0.1.0"


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module 'bench' has no attribute '{name}'")
    from bench import interface

    return getattr(interface, name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
