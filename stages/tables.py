"""Render the paper's tables from their specs.

Reads params.yaml (`seeds`), paper_evidence/specs/, paper_evidence/templates/, experiment_results/<study>/aggregated/
and the leading seed's results; writes paper_evidence/table_*.{json,tex} and
experiment_results/<study>/aggregated/paper_ready_tables.tex.
"""

from mono_s2s import params
from mono_s2s.evidence import specs, tables
from stages import command


def main() -> None:
    """Render all tables."""
    tables.write_all(specs.load(), params.load_params().seeds)


if __name__ == "__main__":
    command.run(main)
