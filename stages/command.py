"""What every stage script does before its own work: read the command line, load parameters, report bad input."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable

from mono_s2s.files import BadInput
from mono_s2s.scale import ARMS, STUDIES


def arguments(text: str | None, *, seed: bool = False, arm: bool = False) -> argparse.Namespace:
    """The command line of a stage of one study; with `seed` of one run, with `arm` of one model of it."""
    parser = argparse.ArgumentParser(description=text, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--study", required=True, choices=STUDIES, help="which study")
    parser.add_argument("--scale", required=True, help="name of a file in scales/, without .yaml")
    if seed:
        parser.add_argument("--seed", required=True, type=int, help="training and attack seed of the run")
    if arm:
        parser.add_argument("--arm", required=True, choices=ARMS, help="which fine-tuned model")
    return parser.parse_args()


def run(main: Callable[[], None]) -> None:
    """Run a stage; bad input ends it with one line and exit status 1, and nothing half-written."""
    try:
        main()
    except BadInput as error:
        sys.exit(f"error: {error}")
