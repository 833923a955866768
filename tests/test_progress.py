"""Bars are seen on a terminal and nowhere else."""

import os
import pty
import subprocess
import sys
from pathlib import Path

from mono_s2s import progress

ROOT = Path(__file__).resolve().parents[1]
CODE = (
    "from mono_s2s import progress\n"
    "for _ in progress.track(range(3), 'epoch', 3): pass\n"
    "with progress.bar('loss', 2) as bar: bar.advance(2); bar.describe('loss 1.25')\n"
)


def test_quiet_where_it_is_no_terminal():
    done = subprocess.run([sys.executable, "-c", CODE], cwd=ROOT, capture_output=True, check=True)
    assert (done.stdout, done.stderr) == (b"", b"")


def test_seen_on_a_terminal():
    master, slave = pty.openpty()
    subprocess.run(
        [sys.executable, "-c", CODE], cwd=ROOT, stderr=slave, check=True, env={**os.environ, "TERM": "xterm"}
    )
    os.close(slave)
    seen = os.read(master, 1 << 16).decode()
    os.close(master)
    assert "epoch" in seen
    assert "3/3" in seen
    assert "loss 1.25" in seen


def test_items_pass_through():
    assert list(progress.track("abc", "letters", 3)) == ["a", "b", "c"]
