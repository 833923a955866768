"""The whole evidence judged: every class of check, every finding, in a few seconds and on a bare clone."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mono_s2s import scale
from mono_s2s.evidence import integrity, ledger
from mono_s2s.evidence.ledger import Checkout, Entry
from mono_s2s.evidence.metrics import check_families
from mono_s2s.evidence.verify import locks, reading, rebuilding, recomputing
from mono_s2s.evidence.verify.findings import Findings
from mono_s2s.evidence.verify.reading import Read
from mono_s2s.params import Params, load_params

# integrity's checks by the class of what they find.
_IDENTITY = (integrity.identities,)
_RECORDS = tuple(check for check in integrity.CHECKS if check not in _IDENTITY)


def _parameters(params: Params, root: Path, findings: Findings) -> dict[str, Any]:
    """params.yaml and the scale file by path, as DVC reads them."""
    found: dict[str, Any] = {}
    for name in ("params.yaml", scale.scale_path(params.scale).as_posix()):
        found[name] = {}
        with findings.guarded("schema", name):
            found[name] = ledger.parse((root / name).read_text(encoding="utf-8"))
    return found


def _study(
    study: str,
    params: Params,
    contents: Mapping[str, Any],
    lock: Mapping[str, Entry],
    checkout: Checkout,
    findings: Findings,
) -> bool:
    """Every run of a study: read, recomputed, and held against its records and the other runs.

    Returns:
        Whether all of them could be read.
    """
    root = checkout.root
    runs: dict[int, Read] = {}
    for seed in params.seeds:
        found = reading.run(study, seed, root, findings)
        if found is not None:
            runs[seed] = found
    findings.count("runs", len(runs))
    section = contents[scale.scale_path(params.scale).as_posix()].get(study, {})
    for found in runs.values():
        recomputing.numbers(found, findings)
        recomputing.derived(found, section, params.seeds, findings)
    evidence = integrity.Evidence(
        study=study,
        scale=params.scale,
        parameters=contents,
        lock=lock,
        checkout=checkout,
        runs={seed: found.filed for seed, found in runs.items() if f"collect@{study}-{seed}" in lock},
    )
    for kind, checks in (("identity", _IDENTITY), ("records", _RECORDS)):
        for check in checks if evidence.runs else ():
            findings.take(kind, check(evidence), f"{study}: {check.__name__}")
    return len(runs) == len(params.seeds)


def verify(root: Path = Path()) -> Findings:
    """Judge the evidence below `root`; nothing is written there.

    Returns:
        Every finding, and what was looked at.
    """
    findings = Findings(root)
    params = None
    with findings.guarded("schema", "params.yaml"):
        params = load_params(root)
        check_families(params.statistics.families)
    if params is None:
        return findings
    with findings.guarded("schema", f"scales/{params.scale}.yaml"):
        scale.load_scale(params.scale, root)
    contents = _parameters(params, root, findings)
    held, checkout = locks.read(root, findings), Checkout(root)
    complete = [
        study for study in params.studies if _study(study, params, contents, held[locks.RUNS], checkout, findings)
    ]
    locks.check(held, params, checkout, contents, findings)
    locks.named(held, params, checkout, root, findings)
    derived = rebuilding.check(root, params, complete, findings)
    findings.take("hashes", locks.unwritten(held, params, derived), locks.PAPER)
    rebuilding.readme(root, params, findings)
    return findings
