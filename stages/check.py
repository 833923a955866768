"""Stop bad parameters before anything runs.

Reads params.yaml and all of scales/<scale>.yaml; writes runs/<study>/check.txt, whose words never change, so that a
good edit makes nothing downstream stale.
"""

from pathlib import Path

from mono_s2s import files, params, scale
from mono_s2s.evidence import metrics
from stages import command


def main() -> None:
    """Type both files; the scale must have the study."""
    chosen = command.arguments(__doc__)
    metrics.check_families(params.load_params().statistics.families)
    scale.load_scale(chosen.scale).study(chosen.study)
    files.write_text(Path("runs") / chosen.study / "check.txt", "params.yaml and its scale file are well-formed\n")


if __name__ == "__main__":
    command.run(main)
