"""Put the committed runs' headlines into README.md (mono_s2s/evidence/headlines.py). `make readme` runs it."""

from __future__ import annotations

import sys
from pathlib import Path

from mono_s2s import files
from mono_s2s.evidence.headlines import NO_RUN, STUDIES, filled, markdown, summaries

__all__ = ["NO_RUN", "STUDIES", "filled", "main", "markdown", "summaries"]


def main(root: Path = Path()) -> None:
    """Rewrite README.md."""
    readme = root / "README.md"
    files.write_text(readme, filled(readme.read_text(encoding="utf-8"), summaries(root)))


if __name__ == "__main__":
    try:
        main()
    except files.BadInput as error:
        sys.exit(f"error: {error}")
