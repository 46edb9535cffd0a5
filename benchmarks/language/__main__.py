"""How much memory does LoRA need, and how much does training all weights?

    python benchmarks/language --repeats 3

A Llama of 31 million weights (width 512, twelve layers, drawn, not learnt) is trained for two
steps on four short conversations each, in a process of its own for each method, one method after
the other. The peak of a process is the system's (``ru_maxrss``); what stands beside it is the peak
less what the libraries and the rows took before the model was read. On a CPU in 32 bits.
"""

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

sys.path.append(str(Path(__file__).resolve().parents[2] / "tests"))

from support import language  # found through the path above

from maintenance_contract import TrainingAction
from maintenance_trainer.data.folders import Origin
from maintenance_trainer.progress import Silent
from maintenance_trainer.tasks.causal_lm import TASK
from maintenance_trainer.tasks.language.rows import AnswerRow, Role, Turn, conversation
from maintenance_trainer.tasks.task import How

METHODS: Final[dict[str, dict[str, Any]]] = {"Full": {}, "LoRA": {"peft_type": "LORA"}}
BATCH, STEPS = 4, 2
MIB: Final = 1024


def rows() -> list[AnswerRow]:
    """Conversations of a batch for each step."""
    found = []
    for record in language.conversations(1, BATCH * STEPS):
        *asked, answer = (Turn(Role(m["role"]), m["content"]) for m in record["messages"])
        found.append(conversation(asked, answer.content, Origin.ORIGINAL, new=False))
    return found


def train(method: str, base: Path) -> None:
    """Train in this process; print what it took."""
    its = rows()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    model = TASK.from_base(base, its, 0)
    size = {"per_device_train_batch_size": BATCH, "max_steps": STEPS, "use_cpu": True}
    with tempfile.TemporaryDirectory() as folder:
        how = How(TrainingAction.FINE_TUNE, {**METHODS[method], **size}, Path(folder))
        TASK.fit(model, its, how, Silent())
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    weights = sum(each.numel() for each in model.model.parameters())
    print(
        json.dumps(
            {
                "method": method,
                "weights": weights,
                "peak MiB": peak // MIB,
                "of the training, MiB": (peak - before) // MIB,
            }
        )
    )


def main() -> None:
    """Print a line a process, and the medians."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--train", nargs=2, metavar=("METHOD", "BASE"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.train:
        train(given.train[0], Path(given.train[1]))
        return
    found: dict[str, list[dict[str, Any]]] = {method: [] for method in METHODS}
    with tempfile.TemporaryDirectory() as folder:
        base = language.base_model(Path(folder), width=512, num_hidden_layers=12)
        for method in list(METHODS) * given.repeats:
            command = [sys.executable, __file__, "--train", method, str(base)]
            said = subprocess.run(command, capture_output=True, text=True, check=True)
            line = json.loads(said.stdout.splitlines()[-1])
            found[method].append(line)
            print(json.dumps(line), flush=True)
    for name in ("peak MiB", "of the training, MiB"):
        told = {method: statistics.median(x[name] for x in its) for method, its in found.items()}
        print(json.dumps({"median": name, **told, "LoRA / Full": told["LoRA"] / told["Full"]}))


if __name__ == "__main__":
    main()
