"""Bring the paper's evidence up to date: `dvc repro paper_evidence/dvc.yaml`, unless an experiment is running.

Reads what stage aggregate reads and writes nothing itself. Root stages are what both `dvc repro` and `dvc exp run`
execute; this one tells them apart by DVC_EXP_NAME, which DVC sets for the commands of `dvc exp run` alone. DVC releases
its lock while a stage's command runs, so the inner `dvc repro` may take it. Flags of the outer command (-f, --dry) do
not reach it.
"""

import os
import subprocess
import sys

from mono_s2s import params
from mono_s2s.evidence import integrity
from stages import command


def main() -> None:
    """Run the inner `dvc repro`, then check once more; exit with its status."""
    if os.environ.get("DVC_EXP_NAME"):
        print("an experiment selects one run: the paper's evidence is left to `dvc repro`")
        return
    done = subprocess.run([sys.executable, "-m", "dvc", "repro", "paper_evidence/dvc.yaml"], check=False)
    if done.returncode:
        sys.exit(done.returncode)
    # After `dvc commit -f` DVC holds everything for up to date and runs no aggregate: so its checks are made here too.
    selected = params.load_params()
    for study in selected.studies:
        integrity.verify(study, selected)


if __name__ == "__main__":
    command.run(main)
