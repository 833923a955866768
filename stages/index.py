"""List the paper's runs.

Reads params.yaml (`seeds`, `studies`, `scale`) and metadata.json and final_results.json of every run of the paper;
writes experiment_results/experiment_index.json and experiment_results/RESULTS_README.md.
"""

from mono_s2s import params
from mono_s2s.evidence import index
from stages import command


def main() -> None:
    """Write both lists."""
    index.write(params.load_params())


if __name__ == "__main__":
    command.run(main)
