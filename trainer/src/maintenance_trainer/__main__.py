"""``python -m maintenance_trainer``: a Job's entry point, and a command for a person."""

import os
import sys

from maintenance_trainer.cores import cores
from maintenance_trainer.proxies import past_the_proxy

for name, value in (
    ("OMP_NUM_THREADS", str(cores())),
    # Threads that wait for each other by spinning hold the core that the other one needs: five
    # times as long where a core is shared, and no faster where none is.
    ("OMP_WAIT_POLICY", "PASSIVE"),
    # Matrices of the tests are so small that a second thread only has to be waited for: the fits of
    # the diagnosis take five to twenty times as long with two as with one. Of torch's it is not.
    ("OPENBLAS_NUM_THREADS", "1"),
    ("TOKENIZERS_PARALLELISM", "false"),
    ("HF_HUB_OFFLINE", "1"),
    ("HF_HUB_DISABLE_TELEMETRY", "1"),
    ("TRANSFORMERS_VERBOSITY", "error"),
):
    os.environ.setdefault(name, value)  # libraries read them once, when they are imported
past_the_proxy(os.environ)

from maintenance_trainer.cli.command import main  # noqa: E402  # after the environment

if __name__ == "__main__":
    sys.exit(main())
