"""Trace every printed number to its runs.

Reads params.yaml (`seeds`, `studies`), paper_evidence/table_*.json of the tables declared in paper_evidence/specs/, the
files that they draw on, metadata.json of every run of the paper, and the md5 of those files in stages/dvc.lock and
paper_evidence/dvc.lock; writes paper_evidence/provenance.json and paper_evidence/PAPER_EVIDENCE_README.md.
"""

from mono_s2s import params
from mono_s2s.evidence import provenance, specs
from stages import command


def main() -> None:
    """Trace all tables."""
    provenance.write(params.load_params(), [spec.id for spec in specs.load()])


if __name__ == "__main__":
    command.run(main)
