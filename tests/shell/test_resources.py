"""What the watches told is given back as it was, however unlike one another bodies are."""

import zlib
from typing import Any

import orjson
from hypothesis import given
from hypothesis import strategies as st

from maintenance_operator.resources import Resources, key_of

TEXTS = st.text(max_size=40)
BODIES = st.lists(
    st.recursive(
        st.none() | st.booleans() | st.integers(-(2**53), 2**53) | TEXTS,
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
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


@given(BODIES, BODIES)
def test_bodies_come_back_as_they_were(statuses: list[Any], maps: list[Any]) -> None:
    known = Resources()
    bodies = [_body(number, status) for number, status in enumerate(statuses)]
    config_maps = [_body(number, data) for number, data in enumerate(maps)]
    for body in bodies:
        assert known.seen(body)
        assert not known.seen(body), "told twice, it is no news"
    for body in config_maps:
        assert known.config_map_seen(key_of(body), body)

    for _ in range(2):  # from the news, then unpacked
        assert [known.get(key_of(body)) for body in bodies] == bodies
    assert [known.config_map(key_of(body)) for body in config_maps] == config_maps


def test_what_is_packed_is_half_as_large_where_bodies_are_alike() -> None:
    known = Resources()
    history = [{"number": n, "message": f"Better: {n}% right on {n * 7} rows."} for n in range(10)]
    bodies = [_body(number, {"history": history}) for number in range(3)]
    for body in bodies:
        known.seen(body)
    alone = len(zlib.compress(orjson.dumps(bodies[0])))
    assert all(len(packed.text) < alone / 2 for packed in known._bodies.values())
