"""Render the paper's tables and numbers from their specs.

Reads params.yaml (`seeds`), paper_evidence/specs/, paper_evidence/templates/, experiment_results/<study>/aggregated/
and the leading seed's results; writes paper_evidence/table_*.{json,tex},
paper_evidence/numbers.tex and experiment_results/<study>/aggregated/paper_ready_tables.tex.
"""

from mono_s2s import params
from mono_s2s.evidence import numbers
from stages import command


def main() -> None:
    """Render all tables and numbers."""
    numbers.write(params.load_params())


if __name__ == "__main__":
    command.run(main)
