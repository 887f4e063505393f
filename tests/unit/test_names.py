"""Names of shots: no two the same, and none changed without need."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from kinetics.names import short_name, tell_apart


def test_only_names_that_repeat_are_numbered():
    assert tell_apart(["hook", "drive", "hook"]) == ["hook_1", "drive", "hook_2"]
    assert tell_apart(["hook", "hook"], "{} ({})") == ["hook (1)", "hook (2)"]
    assert tell_apart(["a", "a", "a_1"]) == ["a_2", "a_3", "a_1"]  # a_1 is somebody's own name
    assert tell_apart(["Hook", "hook"]) == ["Hook_1", "hook_2"]  # one file on many disks
    assert tell_apart([]) == []


@given(st.lists(st.sampled_from(["a", "A", "b", "a_1", "a_2", "A_1", "a_1_1", "a_1_2"]), max_size=12))
def test_names_differ_and_single_ones_stay(names):
    told = tell_apart(names)
    assert len({name.casefold() for name in told}) == len(names)
    for before, after in zip(names, told, strict=True):
        assert after.startswith(before)
        if sum(name.casefold() == before.casefold() for name in names) == 1:
            assert after == before


def test_short_names_of_sources():
    assert short_name("clips/hook.pose.json") == "hook"
    assert short_name("imran_series.npz") == "imran"
    assert short_name("") == ""
