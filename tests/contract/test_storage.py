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
        "s3://",
        "s3://ab/key",
        "s3://Bucket/key",
        "s3://a..b/key",
        "s3://bucket/../key",
        "s3://bucket//key",
        "hf://",
        "hf://a/b/c",
        "hf://../b",
        "hf://org/model:v1",
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


@pytest.mark.parametrize(
    "text, claim, path",
    [
        ("s3://models/news/", "models", "news"),
        ("s3://my.bucket", "my.bucket", ""),
        (
            "hf://sentence-transformers/all-MiniLM-L6-v2",
            "",
            "sentence-transformers/all-MiniLM-L6-v2",
        ),
        ("hf://bert-base-uncased", "", "bert-base-uncased"),
    ],
)
def test_what_is_not_mounted_has_no_local_path(text: str, claim: str, path: str) -> None:
    uri = StorageUri.parse(text)
    assert (uri.claim, uri.path, uri.mounted) == (claim, path, False)
    assert StorageUri.parse(str(uri)) == uri
    with pytest.raises(ContractError, match="not mounted"):
        uri.local_path("/mnt/claims")


@pytest.mark.parametrize(
    "inner, outer, inside",
    [
        ("s3://bub/models/news", "s3://bub/models", True),
        ("s3://bub/models", "s3://bub/models", True),
        ("s3://bub/models", "s3://bub", True),
        ("s3://bub/models2", "s3://bub/models", False),
        ("pvc://bub/models", "s3://bub/models", False),
        ("s3://buc/models", "s3://bub/models", False),
    ],
)
def test_places_in_one_another(inner: str, outer: str, inside: bool) -> None:  # noqa: FBT001
    assert StorageUri.parse(inner).inside(StorageUri.parse(outer)) is inside


@pytest.mark.parametrize(
    "text", ["pvc://models", "pvc://models/news", "file:///data", "s3://bucket", "s3://bucket/a"]
)
def test_joins_below(text: str) -> None:
    joined = StorageUri.parse(text).join("versions", "3")
    assert str(joined) == f"{text.removesuffix('/')}/versions/3"
    assert StorageUri.parse(str(joined)) == joined


@pytest.mark.slow
@given(st.text(max_size=60))
def test_what_parses_stays_inside_its_claim(text: str) -> None:
    try:
        uri = StorageUri.parse(f"pvc://data/{text}")
    except ContractError:
        return
    parts = uri.local_path("/mnt/claims").split("/")
    assert parts[:4] == ["", "mnt", "claims", "data"]
    assert ".." not in parts
