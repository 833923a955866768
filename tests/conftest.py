"""Options of the whole suite."""

# Made-up studies for whatever reads results.
pytest_plugins = ["studies", "verifying"]


def pytest_addoption(parser):
    parser.addoption(
        "--template", help="a clone in which the graph has run (tests/graph), instead of building one anew"
    )


def pytest_collection_modifyitems(items):
    """The graph's tests first: one worker builds their clone while the other runs the quick ones."""
    longest = ("test_readme_commands", "test_misuse", "test_selection", "test_integrity")

    def place(item) -> int:
        return (
            longest.index(item.path.stem) if "graph" in item.path.parts and item.path.stem in longest else len(longest)
        )

    items.sort(key=place)
