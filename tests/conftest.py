"""Options of the whole suite."""


def pytest_addoption(parser):
    parser.addoption("--template", help="a clone in which the graph has run (tests/graph), instead of building one anew")
