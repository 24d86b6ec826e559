"""Only comparable settings compete: complete ones, by a stated metric."""

from __future__ import annotations

import math

from plotting.selection import Tally, choose, choose_by_hand

nan = math.nan


def test_the_highest_mean_score_wins() -> None:
    choice = choose([Tally(0, (1.0, 2.0)), Tally(1, (3.0, 3.0)), Tally(2, (5.0, 0.0))])
    assert choice is not None
    assert (choice.tally.setting, choice.candidates, choice.settings) == (1, 3, 3)
    assert not choice.relaxed


def test_among_equals_the_lowest_setting_number_wins() -> None:
    choice = choose([Tally(7, (2.0, 2.0)), Tally(3, (1.0, 3.0))])
    assert choice is not None
    assert choice.tally.setting == 3


def test_a_setting_with_fewer_completed_runs_cannot_win() -> None:
    choice = choose([Tally(0, (1.0, 1.0)), Tally(1, (9.0,), missing=1)])
    assert choice is not None
    assert (choice.tally.setting, choice.candidates) == (0, 1)


def test_a_setting_with_a_diverged_run_cannot_win() -> None:
    choice = choose([Tally(0, (1.0, 1.0)), Tally(1, (9.0, 9.0), diverged=1)])
    assert choice is not None
    assert choice.tally.setting == 0


def test_a_setting_with_a_run_without_a_score_cannot_win() -> None:
    choice = choose([Tally(0, (1.0, 1.0)), Tally(1, (9.0, nan))])
    assert choice is not None
    assert choice.tally.setting == 0


def test_when_none_is_eligible_the_fullest_settings_compete_and_it_is_said() -> None:
    tallies = [
        Tally(0, (1.0, 1.0), diverged=1),
        Tally(1, (2.0, 2.0), diverged=1),
        Tally(2, (9.0,), diverged=2),
    ]
    choice = choose(tallies)
    assert choice is not None
    assert (choice.tally.setting, choice.candidates, choice.relaxed) == (1, 2, True)


def test_without_any_score_nothing_is_chosen() -> None:
    assert choose([Tally(0, ()), Tally(1, (nan,))]) is None


def test_a_setting_can_be_named_by_hand() -> None:
    choice = choose_by_hand([Tally(0, (1.0,)), Tally(4, (0.0,))], 4)
    assert choice is not None
    assert choice.by_hand
    assert choice.tally.setting == 4
    assert choose_by_hand([Tally(0, (1.0,))], 4) is None


def test_a_part_of_the_settings_is_held_to_the_fullest_of_all() -> None:
    part = [Tally(0, (9.0,), missing=1), Tally(1, (1.0, 2.0), diverged=1)]
    choice = choose(part, fullest=2)
    assert choice is not None
    assert (choice.tally.setting, choice.relaxed) == (1, True)
