from mono_s2s import seeds


def test_derived_seeds_are_fixed_and_differ_by_purpose():
    """Written down: a change of the rule would change every result."""
    assert seeds.attack_seed(42) == seeds.derived(42, "attack") == 3936489726
    found = {seeds.derived(seed, *names) for seed in (42, 43) for names in ((), ("a",), ("a", 1), ("a", 2), ("b",))}
    assert len(found) == 10
    assert all(0 <= seed < 2**32 for seed in found)


def test_generators_of_one_purpose_draw_alike():
    one, same, other = (seeds.generator(1, "x", name).random(3).tolist() for name in ("a", "a", "b"))
    assert one == same != other
