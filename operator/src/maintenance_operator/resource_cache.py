"""What the watches and relists have told so far: resources, and the ConfigMaps of champions.

A body is kept for the look that its news brings about, and after it only where the look asks for
that: most resources do well, and a look at one that does well needs no body. What is kept is
packed: as objects, a status with ten runs behind it takes twenty times the memory that it takes as
compressed JSON. Bodies are much alike: the first of a kind is the dictionary of all that come
later, which halves them once more.

News comes by several ways at once: a watch, a list, the answer to a write of our own. By a watch
and by our own writes resourceVersions only grow, so a lower one is an echo of the past. What was
read after the last news came in is the truth all the same: where etcd was restored from a backup,
resourceVersions go back.
"""

import sys
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import orjson

Key = tuple[str, str]
"""Namespace and name."""

Known = tuple[str, str, str]
"""A resource's uid and resourceVersion, and that of its champion's ConfigMap."""

Body = dict[str, Any]

MOST_NEWS: Final = 200
"""So many bodies wait as they came for the look that news brings about at once."""

_UNREAD_ANNOTATION: Final = "kubectl.kubernetes.io/last-applied-configuration"


def key_of(body: Mapping[str, Any]) -> Key:
    """Namespace and name of an object."""
    metadata = body["metadata"]
    return sys.intern(metadata["namespace"]), sys.intern(metadata["name"])


@dataclass(frozen=True, slots=True)
class _Packed:
    """What is asked of a body often, and the body; empty where it is not kept."""

    uid: str
    version: str
    deleting: bool
    text: bytes = b""


class _Packer:
    """Packs objects of one kind, by the first of them."""

    LEVEL: Final = 3
    """With a dictionary no slower than level 1 without."""

    def __init__(self) -> None:
        self._like = b""

    def pack(self, body: Mapping[str, Any]) -> _Packed:
        text = orjson.dumps(body)
        self._like = self._like or text
        packing = zlib.compressobj(level=self.LEVEL, zdict=self._like)
        return replace(_unpacked(body), text=packing.compress(text) + packing.flush())

    def body(self, packed: _Packed) -> Body:
        unpacking = zlib.decompressobj(zdict=self._like)
        found: Body = orjson.loads(unpacking.decompress(packed.text) + unpacking.flush())
        return found


def _unpacked(body: Mapping[str, Any]) -> _Packed:
    metadata = body["metadata"]
    deleting = bool(metadata.get("deletionTimestamp"))
    return _Packed(str(metadata.get("uid", "")), version_of(body), deleting)


class ResourceCache:
    """The last seen bodies, without the parts that nobody here reads. They may be stale."""

    def __init__(self) -> None:
        self._packer, self._packer_of_config_maps = _Packer(), _Packer()
        self._bodies: dict[Key, _Packed] = {}
        self._config_maps: dict[Key, _Packed] = {}
        self._news: dict[Key, Body] = {}

    def get(self, key: Key) -> Body | None:
        """The last seen body, or None where it is not kept, or there is no such resource."""
        known = self._bodies.get(key)
        if known is None or key in self._news or not known.text:
            return self._news.get(key)
        return self._packer.body(known)

    def keep(self, body: Mapping[str, Any]) -> None:
        """Keep a body that was looked at, as the next look will need it, if it is the last seen."""
        known = self._looked_at(body)
        if known is not None and not known.text:
            self._bodies[key_of(body)] = self._packer.pack(_slim(body))

    def let_go(self, body: Mapping[str, Any]) -> None:
        """Keep a body no longer, if it is the last seen: the next look can do without."""
        known = self._looked_at(body)
        if known is not None and known.text:
            self._bodies[key_of(body)] = replace(known, text=b"")

    def _looked_at(self, body: Mapping[str, Any]) -> _Packed | None:
        """What is known of a body, no news any more; None where it is not the last seen."""
        key = key_of(body)
        known = self._bodies.get(key)
        if known is None or not _same(body, known):
            return None
        self._news.pop(key, None)
        return known

    def config_map(self, key: Key) -> Body | None:
        """The last seen ConfigMap of the resource's champion."""
        known = self._config_maps.get(key)
        return None if known is None else self._packer_of_config_maps.body(known)

    def known(self, key: Key) -> Known | None:
        """What the last seen bodies are, without unpacking them; None where one is missing."""
        body, config_map = self._bodies.get(key), self._config_maps.get(key)
        if body is None or body.deleting or config_map is None:
            return None
        return body.uid, body.version, config_map.version

    def seen(self, body: Mapping[str, Any]) -> bool:
        """Remember a body, unless it or a newer one of the same object is known; was it news?"""
        key = key_of(body)
        if not _is_news(body, self._bodies.get(key)):
            return False
        slim = _slim(body)
        self._news.pop(key, None)
        if len(self._news) < MOST_NEWS:
            self._news[key] = slim
            self._bodies[key] = _unpacked(slim)
        else:
            self._bodies[key] = self._packer.pack(slim)
        return True

    def read(self, body: Mapping[str, Any], since: str) -> bool:
        """Remember a body that was read after ``since`` was the last version; was it news?

        Nothing else has told of it meanwhile: so it is the truth, also where it is older.
        """
        known = self._bodies.get(key_of(body))
        if known is not None and known.version == since and _older(body, known):
            self._bodies.pop(key_of(body))
        return self.seen(body)

    def doubted(self, body: Mapping[str, Any]) -> bool:
        """Whether a list shows an older state than is known: the next look is to read it anew.

        The list may have been overtaken by a write of ours, or etcd was restored.
        """
        key = key_of(body)
        known = self._bodies.get(key)
        if known is None or _same(body, known) or not _older(body, known):
            return False
        self._news.pop(key, None)
        self._bodies[key] = replace(known, text=b"")
        return True

    def version(self, key: Key) -> str:
        """The last seen resourceVersion; empty where there is no such resource."""
        known = self._bodies.get(key)
        return "" if known is None else known.version

    def config_map_seen(self, key: Key, body: Mapping[str, Any]) -> bool:
        """Remember the ConfigMap of a resource's champion; was it news?"""
        if not _is_news(body, self._config_maps.get(key)):
            return False
        self._config_maps[key] = self._packer_of_config_maps.pack(_slim(body))
        return True

    def config_map_listed(
        self, key: Key, body: Mapping[str, Any], since: str | None = None
    ) -> bool:
        """Remember what a list shows of a ConfigMap; was it news?

        ``since``: the version known when the list began, None for a list that begins a watch: we
        keep nothing of our own writes, so what comes by the watch is in order.
        """
        known = self._config_maps.get(key)
        if known is not None and since in {None, known.version} and not _same(body, known):
            self._config_maps.pop(key)
        return self.config_map_seen(key, body)

    def config_map_gone(self, key: Key, uid: str = "") -> bool:
        """The ConfigMap of a resource's champion was deleted, if that one is known."""
        known = self._config_maps.get(key)
        if known is None or uid not in {"", known.uid}:
            return False
        del self._config_maps[key]
        return True

    def uid(self, key: Key) -> str:
        """The uid of the resource that is known by that name; empty where there is none."""
        known = self._bodies.get(key)
        return "" if known is None else known.uid

    def is_another(self, key: Key, uid: str) -> bool:
        """Whether the resource of that name is known by another uid: it was created anew."""
        known = self._bodies.get(key)
        return known is not None and known.uid != uid

    def forget(self, key: Key) -> None:
        """Forget a resource. Its champion's ConfigMap outlives it and stays known."""
        self._bodies.pop(key, None)
        self._news.pop(key, None)

    def __iter__(self) -> Iterator[Key]:
        return iter(tuple(self._bodies))

    def __contains__(self, key: object) -> bool:
        return key in self._bodies

    def __len__(self) -> int:
        return len(self._bodies)

    def versions(self) -> dict[Key, str]:
        """The resourceVersion of each body, to tell later which ones have not moved since."""
        return {key: known.version for key, known in self._bodies.items()}

    def config_map_versions(self) -> dict[Key, str]:
        """The same of ConfigMaps."""
        return {key: known.version for key, known in self._config_maps.items()}


def version_of(body: Mapping[str, Any]) -> str:
    """The resourceVersion of an object."""
    return str(body["metadata"].get("resourceVersion", ""))


def _is_news(body: Mapping[str, Any], known: _Packed | None) -> bool:
    return known is None or not (_same(body, known) or _older(body, known))


def _same(body: Mapping[str, Any], known: _Packed) -> bool:
    version = version_of(body)
    return bool(version) and (known.uid, known.version) == (body["metadata"].get("uid"), version)


def _older(body: Mapping[str, Any], known: _Packed) -> bool:
    """Whether a list that took its time brings an older state than a watch did meanwhile."""
    if known.uid != body["metadata"].get("uid", ""):
        return False
    new, old = version_of(body), known.version
    return new.isdecimal() and old.isdecimal() and int(new) < int(old)


def _slim(body: Mapping[str, Any]) -> Body:
    metadata = {key: value for key, value in body["metadata"].items() if key != "managedFields"}
    if _UNREAD_ANNOTATION in metadata.get("annotations", {}):
        metadata["annotations"] = {
            key: value
            for key, value in metadata["annotations"].items()
            if key != _UNREAD_ANNOTATION
        }
    return {**body, "metadata": metadata}
