"""Bring the paper's evidence up to date: `dvc repro paper_evidence/dvc.yaml`, unless an experiment is running.

Reads nothing and writes nothing itself. Root stages are what both `dvc repro` and `dvc exp run` execute; this one tells
them apart by DVC_EXP_NAME, which DVC sets for the commands of `dvc exp run` alone. DVC releases its lock while a
stage's command runs, so the inner `dvc repro` may take it. Flags of the outer command (-f, --dry) do not reach it.
"""

import os
import subprocess
import sys


def main() -> None:
    """Run the inner `dvc repro`; exit with its status."""
    if os.environ.get("DVC_EXP_NAME"):
        print("an experiment selects one run: the paper's evidence is left to `dvc repro`")
        return
    done = subprocess.run([sys.executable, "-m", "dvc", "repro", "paper_evidence/dvc.yaml"], check=False)
    sys.exit(done.returncode)


if __name__ == "__main__":
    main()
