"""Online update of the key model: what was reported is accepted, what was known stays as it was."""

from __future__ import annotations

import random
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests import naive_update

from offscript import Config, KeyModel, Reason, UsageError
from offscript.entries import UNKNOWN
from offscript.models import columns, update
from offscript.models.pairs import Symbols, Vocabulary
from offscript.models.update import REPLAYED, TOLERANCE, Step, taught

SMALL = Config(hidden=12, layers=1, history=4, training_steps=200, batch_size=32, folds=2)
NORMAL = [[7, 2, 9]] * 60 + [[7, 2, 2, 9]] * 50 + [[7, 5, 9]] * 40 + [[7, 5, 2, 9]]

keys = st.sampled_from([2, 5, 7, 9, 11, 12])
steps = st.builds(Step, st.lists(keys | st.just(0), max_size=5).map(tuple), keys | st.none())


@pytest.fixture(scope="module")
def model() -> KeyModel:
    """Return a model of the small normal log above."""
    return KeyModel.fit(NORMAL, SMALL)


@pytest.fixture(scope="module")
def ranks() -> KeyModel:
    """Return the same by the paper's rule."""
    return KeyModel.fit(NORMAL, SMALL.model_copy(update={"rule": "top-g", "candidates": 2}))


def score(model: KeyModel, step: Step) -> float:
    """Return the score of one step, judged as a detector would."""
    symbols = [0] * model.history + [model.symbol(key) for key in step.history]
    target = 1 if step.key is None else model.symbol(step.key)
    return float(model.surprise(np.array([symbols[-model.history :]]), np.array([target]))[0])


def stored_scores(model: KeyModel, of: KeyModel) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Return the scores of the pairs that `of` has stored."""
    return model.surprise(of.learnt.sightings.histories, of.learnt.sightings.targets)


def test_what_was_reported_is_accepted_and_the_given_model_stays(model: KeyModel) -> None:
    """A step out of order, a new key and an early end are accepted by the next version, and by that alone."""
    before = {name: array.tobytes() for name, array in model.parts()[1].items()}
    sessions = [[7, 9, 2, 9], [7, 2, 77, 9], [7, 2]]
    assert [verdict.is_anomaly for verdict in model.judge(sessions)] == [True] * 3
    reported = [Step((7,), 9), Step((7, 9), 2), Step((7, 2), 77), Step((7, 2, 77), 9), Step((7, 2), None)]
    after = taught(replace_profile(model), [*reported, Step((7, 9, 2), 9)])
    assert [verdict.reason for verdict in after.judge(sessions)] == [None] * 3
    assert before == {name: array.tobytes() for name, array in model.parts()[1].items()}
    assert [verdict.is_anomaly for verdict in model.judge(sessions)] == [True] * 3


def replace_profile(model: KeyModel) -> KeyModel:
    """Return the model without a profile: order and END alone are asked."""
    return KeyModel(model.vocabulary, model.history, model.count_weight, replace(model.learnt, profile=None))


@settings(max_examples=40, deadline=None)
@given(st.lists(steps, min_size=1, max_size=4), st.lists(steps, max_size=3), st.booleans())
def test_reports_stay_accepted_and_no_stored_pair_gets_worse(
    model: KeyModel, ranks: KeyModel, some: list[Step], more: list[Step], by_rank: bool
) -> None:
    """Whatever is reported, one by one or together: it is accepted, for good; stored pairs stay within tolerance.

    A history with an unknown line in it is another one when that line has got its name.
    """
    first = ranks if by_rank else model
    named = {step.key for step in more} - {step.key for step in some} - set(model.vocabulary.keys)
    for reported in (some, more):
        try:
            after = taught(first, reported)
        except UsageError:
            return
        assert all(score(after, step) < 1 for step in reported)
        was, now = stored_scores(first, first), stored_scores(after, first)
        assert by_rank or (now <= was + TOLERANCE + 1e-6).all()
        assert (now[was < 1] < 1).all()
        first = after
    assert all(score(first, step) < 1 for step in some if not named & set(step.history))


def test_symbols_thresholds_and_promise_stay(model: KeyModel) -> None:
    """New keys come behind the known ones, past the capacity too; what was calibrated stays."""
    after = model
    for key in range(100, 130):
        after = taught(after, [Step((7, 2), key)])
    assert after.vocabulary.keys == (*model.vocabulary.keys, *range(100, 130))
    assert after.learnt.rule == model.learnt.rule
    assert after.promise == model.promise
    assert after.learnt.ensemble.seen.shape[1] > model.learnt.ensemble.seen.shape[1]
    assert [verdict.reason for verdict in after.judge(NORMAL)] == [verdict.reason for verdict in model.judge(NORMAL)]
    again = KeyModel.from_parts(*after.parts())
    sessions = [[7, 2, key] for key in range(95, 131)]
    assert again.judge(sessions) == after.judge(sessions)


def test_a_new_key_in_a_history_is_read_as_an_unknown_line_was(model: KeyModel) -> None:
    """Learning the name of a line changes nothing of what the networks make of histories that hold it."""
    after = taught(model, [Step((7, 2), 77)])
    symbol = after.symbol(77)
    histories = np.array([[0, 3, 4, symbol], [symbol, 3, symbol, 4]], np.int32)
    unnamed = np.where(histories == symbol, UNKNOWN, histories)
    for number in range(len(model.learnt.ensemble.networks)):
        states = model.learnt.ensemble.states(number, unnamed)
        assert (after.learnt.ensemble.states(number, histories) == states).all()


def test_what_was_accepted_after_an_unknown_line_is_so_by_its_name(model: KeyModel) -> None:
    """Reported before the line got its name, or together with it: the step after it stays accepted."""
    unnamed = Step((7, 0), 7)
    assert score(model, unnamed) >= 1
    first = taught(taught(model, [unnamed]), [Step((7,), 77)])
    together = taught(model, [unnamed, Step((7,), 77)])
    for after in (first, together):
        assert score(after, unnamed) < 1
        assert score(after, Step((7, 77), 7)) < 1
    assert score(taught(model, [Step((7,), 77)]), Step((7, 77), 7)) >= 1


def test_other_keys_keep_their_odds(model: KeyModel) -> None:
    """In each network the keys that were not reported keep their odds among themselves."""
    after = taught(model, [Step((7, 9), 2)])
    histories = np.array([[0, 0, 0, 3], [0, 0, 5, 3]], np.int32)
    others = [symbol for symbol in range(1, len(model.vocabulary)) if symbol not in (UNKNOWN, model.symbol(2))]
    for number in range(len(model.learnt.ensemble.networks)):
        was = model.learnt.ensemble.alone(number, histories)[:, others]
        now = after.learnt.ensemble.alone(number, histories)[:, others]
        assert np.allclose(was / was.sum(axis=1, keepdims=True), now / now.sum(axis=1, keepdims=True), atol=1e-6)


def test_a_confirmed_anomaly_survives_a_thousand_updates(model: KeyModel) -> None:
    """A confirmed anomaly is flagged after each of 1,000 random reports; those that would silence it are refused."""
    chance = random.Random(3)
    confirmed = [Step((7, 5), 5), Step((7, 2), None), Step((9,), 55)]
    assert all(score(model, step) >= 1 for step in confirmed)
    after, refused = model, list[str]()
    for _ in range(1_000):
        history = tuple(chance.choice([2, 5, 7, 9, 20, 21]) for _ in range(chance.randrange(4)))
        drawn = Step(history, chance.choice([2, 5, 7, 9, 20, 21, None]))
        try:
            after = taught(after, [chance.choice(confirmed) if chance.random() < 0.1 else drawn], confirmed=confirmed)
        except UsageError as error:
            refused.append(str(error))
        assert all(score(after, step) >= 1 for step in confirmed)
    assert 50 < len(refused) < 500
    assert all("confirmed" in reason or "normal sessions" in reason for reason in refused)


def test_what_was_confirmed_cannot_be_normal_too(model: KeyModel) -> None:
    """A report that contradicts a confirmed anomaly is refused, with the reason; a new key's as well."""
    for step in (Step((7, 5), 5), Step((7,), 55)):
        with pytest.raises(UsageError, match="silence 1 confirmed anomaly"):
            taught(model, [step], confirmed=[step])


def test_nothing_reported_changes_nothing(model: KeyModel) -> None:
    """Without a report the version is the same; a line without a template cannot be a step."""
    assert taught(model, []) is model
    with pytest.raises(UsageError, match="template"):
        taught(model, [Step((7,), 0)])


def test_one_update_closes_the_same_false_alarm_elsewhere() -> None:
    """In a stream, where hardly a history comes twice, a new key reported once is accepted after other histories."""
    chance = np.random.default_rng(0)
    stream = chance.integers(1, 12, 3_000).tolist()
    learnt = KeyModel.fit([stream], SMALL.model_copy(update={"history": 8}), per_entry=True)
    after = taught(learnt, [Step(tuple(stream[:8]), 77)])
    elsewhere = [Step(tuple(chance.integers(1, 12, 8).tolist()), 77) for _ in range(200)]
    assert all(score(learnt, step) >= 1 for step in elsewhere)
    assert np.mean([score(after, step) < 1 for step in elsewhere]) > 0.98


def test_a_sample_is_replayed_where_much_is_stored(model: KeyModel, monkeypatch: pytest.MonkeyPatch) -> None:
    """No more pairs than the bound, and the same ones each time."""
    monkeypatch.setattr(update, "REPLAYED", 5)
    one, other = update._sample(model.learnt.sightings), update._sample(model.learnt.sightings)
    assert len(one[1]) == 5 < len(model.learnt.sightings.targets) < REPLAYED
    assert (one[0] == other[0]).all()


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**16), st.integers(1, 12), st.integers(1, 4), st.integers(1, 25))
def test_training_is_that_of_the_slow_truth(model: KeyModel, seed: int, replayed: int, own: int, most: int) -> None:
    """The columns after some steps are those of Adam written out pair by pair, and no other column moved."""
    chance = np.random.default_rng(seed)
    network = model.learnt.ensemble.networks[0]
    follow = np.flatnonzero(network.targets)
    size = len(model.vocabulary)

    def drawn(count: int) -> tuple[Symbols, Symbols]:
        histories = chance.integers(0, size, (count, model.history)).astype(np.int32)
        return histories, chance.choice(follow, count).astype(np.int32)

    pairs = drawn(replayed), drawn(own)
    trained = np.unique(pairs[1][1]).astype(np.int64)
    one, other = (columns.Measured.of(model.learnt.ensemble, *some, trained) for some in pairs)
    need = np.full(own, -0.5)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(columns, "STEPS", most)
        moved = columns.trained(network, trained, one.sides[0], other.sides[0], need).moved(1.0)
    slow = naive_update.trained(
        network.exit.tolist(),
        network.exit_bias.tolist(),
        network.targets.tolist(),
        list(zip(one.sides[0].states.tolist(), one.targets.tolist(), strict=True)),
        list(zip(other.sides[0].states.tolist(), other.targets.tolist(), strict=True)),
        -0.5,
        most,
        columns.RATE,
    )
    # Adam divides by the root of a slope's square: where a slope is nothing but rounding, its step is too
    assert np.allclose(moved.exit, slow[0], atol=0.02)
    assert np.allclose(moved.exit_bias, slow[1], atol=0.02)
    still = np.setdiff1d(np.arange(len(network.targets)), other.targets)
    assert (moved.exit[:, still] == network.exit[:, still]).all()


def test_new_names_do_not_disturb_the_vocabulary() -> None:
    """A vocabulary made longer gives every key the symbol it had."""
    words = Vocabulary.from_keys((9, 4))
    longer = Vocabulary.from_keys((*words.keys, 2))
    assert [longer.symbol(key) for key in words.keys] == [words.symbol(key) for key in words.keys]


def test_an_incomplete_session_can_be_normal(model: KeyModel) -> None:
    """A session that may end early is no longer `incomplete_session`."""
    early = [[7]]
    assert model.judge(early)[0].reason is Reason.INCOMPLETE_SESSION
    assert replace_profile(taught(model, [Step((7,), None)])).judge(early)[0].reason is None
