"""What the watches told is given back as it was, however unlike one another bodies are."""

import zlib
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from maintenance_operator.resource_cache import MOST_NEWS, ResourceCache, key_of

SOURCE = st.text(max_size=40)
BODIES = st.lists(
    st.recursive(
        st.none() | st.booleans() | st.integers(-(2**53), 2**53) | SOURCE,
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(SOURCE, inner, max_size=4),
    ),
    min_size=1,
    max_size=5,
)


def _body(number: int, status: Any) -> dict[str, Any]:
    metadata = {
        "namespace": "finance",
        "name": f"model-{number}",
        "uid": f"uid-{number}",
        "resourceVersion": str(100 + number),
    }
    return {"metadata": metadata, "status": status}


@pytest.mark.slow
@given(BODIES, BODIES)
def test_bodies_come_back_as_they_were(statuses: list[Any], maps: list[Any]) -> None:
    known = ResourceCache()
    bodies = [_body(number, status) for number, status in enumerate(statuses)]
    config_maps = [_body(number, data) for number, data in enumerate(maps)]
    for body in bodies:
        assert known.seen(body)
        assert not known.seen(body), "told twice, it is no news"
    for body in config_maps:
        assert known.config_map_seen(key_of(body), body)

    assert [known.get(key_of(body)) for body in bodies] == bodies, "as news"
    for body in bodies:
        known.keep(body)
    assert not known._news
    assert [known.get(key_of(body)) for body in bodies] == bodies, "packed"
    assert [known.config_map(key_of(body)) for body in config_maps] == config_maps


def test_a_body_that_was_let_go_is_known_but_not_kept() -> None:
    known, body = ResourceCache(), _body(1, {"history": []})
    known.seen(body)
    for kept in (False, True):
        if kept:
            known.keep(body)
        known.let_go(body)
        assert known.get(key_of(body)) is None
        assert key_of(body) in known
        assert not known.seen(body), "it is no news again"
    known.keep(body)
    assert known.get(key_of(body)) == body


def test_an_older_body_neither_replaces_nor_drops_the_last_seen() -> None:
    known, older = ResourceCache(), _body(1, "older")
    newer = {"metadata": {**older["metadata"], "resourceVersion": "900"}, "status": "newer"}
    for body in (older, newer):
        known.seen(body)
    known.keep(older)
    known.let_go(older)
    assert known.get(key_of(older)) == newer


def test_news_beyond_the_first_few_wait_packed() -> None:
    known = ResourceCache()
    bodies = [_body(number, {"number": number}) for number in range(MOST_NEWS + 5)]
    for body in bodies:
        known.seen(body)
    assert len(known._news) == MOST_NEWS
    assert [known.get(key_of(body)) for body in bodies] == bodies


def test_what_is_packed_is_half_as_large_where_bodies_are_alike() -> None:
    known = ResourceCache()
    history = [{"number": n, "message": f"Better: {n}% right on {n * 7} rows."} for n in range(10)]
    bodies = [_body(number, {"history": history}) for number in range(3)]
    for body in bodies:
        known.seen(body)
        known.keep(body)
    alone = len(zlib.compress(orjson.dumps(bodies[0])))
    packed = [len(body.text) for body in known._bodies.values()]
    assert all(0 < size < alone / 2 for size in packed)


# --- who is right -----------------------------------------------------------------------


def state(version: str, status: str, uid: str = "uid-1") -> dict[str, Any]:
    body = _body(1, status)
    body["metadata"] |= {"resourceVersion": version, "uid": uid}
    return body


RESTORED = state("1001", "restored")


def test_an_echo_of_the_past_is_no_news() -> None:
    known = ResourceCache()
    key = key_of(RESTORED)
    assert known.seen(state("1200", "our own write"))
    assert not known.seen(RESTORED), "as a watch tells it late"
    assert not known.read(RESTORED, "1100"), "what was read before our write"
    assert known.version(key) == "1200"


def test_what_was_read_after_the_last_news_is_the_truth_also_where_it_is_older() -> None:
    """As after etcd was restored from a backup."""
    known = ResourceCache()
    known.seen(state("1200", "lost"))
    assert known.read(RESTORED, "1200")
    assert known.get(key_of(RESTORED)) == RESTORED
    assert not known.read(RESTORED, "1001"), "it is news once"
    assert known.seen(state("1002", "and on"))


def test_a_list_that_shows_an_older_state_makes_the_next_look_a_closer_one() -> None:
    known = ResourceCache()
    newer, key = state("1200", "newer"), key_of(RESTORED)
    known.seen(newer)
    known.keep(newer)
    assert known.doubted(RESTORED)
    assert known.get(key) is None
    assert key in known
    known.keep(newer)
    assert known.get(key) == newer, "the look found it to be right"
    assert not known.doubted(newer)


@pytest.mark.parametrize("since", [None, "1200"])
def test_config_maps_that_are_listed_are_the_truth(since: str | None) -> None:
    known, key = ResourceCache(), key_of(RESTORED)
    assert known.config_map_seen(key, state("1200", "version 2"))
    assert not known.config_map_seen(key, RESTORED), "an echo"
    assert not known.config_map_listed(key, RESTORED, "1100"), "a list that took its time"
    assert known.config_map_listed(key, RESTORED, since)
    assert known.config_map(key) == RESTORED
    assert not known.config_map_listed(key, RESTORED, since)


def test_the_deletion_of_the_one_before_does_not_take_the_new_one_along() -> None:
    known, key = ResourceCache(), key_of(RESTORED)
    known.config_map_seen(key, state("1200", "new"))
    assert not known.config_map_gone(key, "uid-0")
    assert known.config_map(key) is not None
    assert known.config_map_gone(key, "uid-1")
    assert known.config_map(key) is None
