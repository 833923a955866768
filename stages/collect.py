"""File what the heavy stages of one run left, once it has been held against itself.

Reads runs/<study>/{corpus,standard,seed_<N>}/, the study's section of scales/<scale>.yaml and params.yaml (`seeds`);
writes experiment_results/<study>/seed_<N>/.
"""

from mono_s2s import params, scale
from mono_s2s.evidence import filing
from mono_s2s.files import BadInput
from stages import command


def main() -> None:
    """Check and file one run."""
    chosen = command.arguments(__doc__, seed=True)
    scale.load_scale(chosen.scale)
    section = scale.read_yaml(scale.scale_path(chosen.scale))[chosen.study]
    seeds = params.load_params().seeds
    try:
        filing.file_run(chosen.study, chosen.seed, section, seeds)
    except BadInput as error:
        raise BadInput(f"seed {chosen.seed}: {error}") from error


if __name__ == "__main__":
    command.run(main)
