"""One parser of storage URIs, and no way out of a claim."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maintenance_contract import ContractError, StorageUri


@pytest.mark.parametrize(
    "text, claim, path, local",
    [
        ("pvc://models/news", "models", "news", "/mnt/claims/models/news"),
        ("pvc://models/a/b/", "models", "a/b", "/mnt/claims/models/a/b"),
        ("pvc://models", "models", "", "/mnt/claims/models"),
        ("file:///data/news", "", "/data/news", "/data/news"),
    ],
)
def test_reads(text: str, claim: str, path: str, local: str) -> None:
    uri = StorageUri.parse(text)
    assert (uri.claim, uri.path, uri.local_path("/mnt/claims")) == (claim, path, local)
    assert StorageUri.parse(str(uri)) == uri


@pytest.mark.parametrize(
    "text",
    [
        "",
        "models/news",
        "ftp://a/b",
        "s3://bucket/key",
        "pvc://",
        "pvc:///path",
        "pvc://UPPER/path",
        "pvc://models/../other",
        "pvc://models/a/./b",
        "pvc://models/a//b",
        "pvc://models/a\0b",
        "file://relative",
        "file:///a/../b",
        "pvc://a b/c",
    ],
)
def test_refuses(text: str) -> None:
    with pytest.raises(ContractError):
        StorageUri.parse(text)


@pytest.mark.parametrize("text", ["pvc://models", "pvc://models/news", "file:///data"])
def test_joins_below(text: str) -> None:
    joined = StorageUri.parse(text).join("versions", "3")
    assert str(joined) == f"{text.removesuffix('/')}/versions/3"
    assert StorageUri.parse(str(joined)) == joined


@given(st.text(max_size=60))
def test_what_parses_stays_inside_its_claim(text: str) -> None:
    try:
        uri = StorageUri.parse(f"pvc://data/{text}")
    except ContractError:
        return
    parts = uri.local_path("/mnt/claims").split("/")
    assert parts[:4] == ["", "mnt", "claims", "data"]
    assert ".." not in parts
