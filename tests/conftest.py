"""Options of the whole suite."""

# Made-up studies for whatever reads results.
pytest_plugins = ["studies"]


def pytest_addoption(parser):
    parser.addoption(
        "--template", help="a clone in which the graph has run (tests/graph), instead of building one anew"
    )
