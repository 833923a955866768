"""Add up the paper's seeds of one study, once the records of every run agree with each other.

Reads params.yaml (`seeds`, `scale`, `statistics`), experiment_results/<study>/seed_<N>/ of the paper's seeds,
stages/dvc.lock, scales/<scale>.yaml and the source files that they name; writes
experiment_results/<study>/aggregated/{all_seeds_summary.json, statistical_tests.json}.
"""

import argparse

from mono_s2s import params
from mono_s2s.evidence import aggregation, integrity
from mono_s2s.evidence.metrics import check_equivalence, check_families
from mono_s2s.scale import STUDIES
from stages import command


def main() -> None:
    """Check, then add up."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--study", required=True, choices=STUDIES, help="which study")
    study = parser.parse_args().study
    selected = params.load_params()
    check_families(selected.statistics.families)
    check_equivalence({name: part.metric for name, part in selected.statistics.equivalence.items()})
    integrity.verify(study, selected)
    aggregation.aggregate(study, selected)


if __name__ == "__main__":
    command.run(main)
