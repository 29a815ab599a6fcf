"""The process that PySR runs in. Run by path, so that nothing of this library, nor PyTorch, is loaded."""

import importlib.util
import inspect
import json
import sys
from pathlib import Path

NO_PYSR, NO_JULIA = 3, 4


def main(folder: Path) -> int:
    """Fit the rows of a folder; PySR leaves its hall of fame there."""
    import numpy as np

    settings = json.loads((folder / "settings.json").read_text(encoding="utf-8"))
    with np.load(folder / "rows.npz", allow_pickle=False) as rows:
        X, y = rows["X"], rows["y"]
    if importlib.util.find_spec("pysr") is None:
        return NO_PYSR
    try:
        from pysr import PySRRegressor
    except Exception as error:  # whatever juliacall meets on its way to Julia
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return NO_JULIA
    # PySR asks for a meaning in SymPy for operators of one's own; only its CSV is read here
    mappings = {
        "signed_sqrt": lambda x: x**0.5,
        "signed_pow": lambda x, y: x**y,
        "safe_div": lambda x, y: x / y,
    }
    known = inspect.signature(PySRRegressor).parameters  # an older PySR lacks some of the mutations
    settings = {
        key: value for key, value in settings.items() if key in known or not key.startswith("weight_")
    }
    regressor = PySRRegressor(**settings, extra_sympy_mappings=mappings)
    regressor.fit(X, y, variable_names=[f"x{i}" for i in range(X.shape[1])])
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
