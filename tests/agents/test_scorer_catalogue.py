"""The catalogue's vectors: embedded once, kept on disk, found again."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from agents.errors import RecordError, SetupError
from agents.records import Item, encode_json, read_catalogue
from agents.scoring import catalogue as catalogues
from agents.scoring.catalogue import Catalogue, text_of
from agents.scoring.vector_store import VectorStore
from models.bert.contract import HashEncoder

Opened = Callable[[HashEncoder], Catalogue]
ITEMS = [Item(item_id=f"i{n}", title=f"title {n}", categories=["c"]) for n in range(50)]


def entries(items: list[Item]) -> list[tuple[bytes, Item | None]]:
    return [(item.item_id.encode(), item) for item in items]


def embed_all(catalogue: Catalogue) -> None:
    while catalogue.waiting:
        assert catalogue.embed_some() > 0


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Opened]:
    """Makes a catalogue as a worker does at its start, on the same folder each time."""
    stores = []

    def make(encoder: HashEncoder) -> Catalogue:
        stores.append(VectorStore(tmp_path, encoder.version, encoder.dimension))
        return Catalogue(encoder, stores[-1])

    yield make
    for store in stores:
        store.close()


def test_the_text_of_an_item_has_all_words_a_line_each() -> None:
    item = Item(item_id="a", title=" Mug ", description="Holds tea.", categories=["kitchen"], tags=["red", "new"])
    assert text_of(item) == "Mug\nHolds tea.\nkitchen, red, new"
    assert text_of(Item(item_id="a")) == ""


def test_an_entry_needs_its_own_key() -> None:
    value = encode_json(ITEMS[0])
    assert read_catalogue(b"i0", value) == ITEMS[0]
    with pytest.raises(RecordError, match="wrong_key"):
        read_catalogue(b"i1", value)


def test_vectors_are_those_of_the_encoder(opened: Opened) -> None:
    catalogue = opened(HashEncoder())
    catalogue.update(entries(ITEMS))
    embed_all(catalogue)
    np.testing.assert_array_equal(catalogue.index.vectors, HashEncoder().encode([text_of(item) for item in ITEMS]))


def test_a_restart_embeds_nothing(opened: Opened) -> None:
    first = opened(HashEncoder())
    first.update(entries(ITEMS))
    embed_all(first)
    encoder = HashEncoder()
    second = opened(encoder)
    second.update(entries(ITEMS))
    second.embed_from_disk()
    assert second.waiting == 0
    assert encoder.calls == 0
    np.testing.assert_array_equal(second.index.vectors, first.index.vectors)


def test_after_a_change_only_the_change_is_embedded(opened: Opened) -> None:
    first = opened(HashEncoder())
    first.update(entries(ITEMS))
    embed_all(first)
    encoder = HashEncoder()
    second = opened(encoder)
    second.update(entries([*ITEMS[1:], Item(item_id="i0", title="another title"), Item(item_id="new", title="New")]))
    second.embed_from_disk()
    embed_all(second)
    assert encoder.texts == 2


def test_another_model_embeds_all_anew(opened: Opened) -> None:
    first = opened(HashEncoder())
    first.update(entries(ITEMS))
    embed_all(first)
    encoder = HashEncoder(32)
    second = opened(encoder)
    second.update(entries(ITEMS))
    second.embed_from_disk()
    assert second.waiting == len(ITEMS)


def test_deleted_items_are_gone_from_the_index(opened: Opened) -> None:
    catalogue = opened(HashEncoder())
    catalogue.update(entries(ITEMS[:2]))
    catalogue.update([(b"i0", None), (b"never there", None)])
    assert catalogue.index.available.tolist() == [False, True]
    assert catalogue.waiting == 1


def test_without_a_model_nothing_is_embedded() -> None:
    catalogue = Catalogue(None, None)
    catalogue.update(entries(ITEMS))
    assert catalogue.waiting == catalogue.embed_some() == 0
    catalogue.embed_from_disk()


def test_a_file_of_old_texts_is_rewritten(opened: Opened, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalogues, "STALE_RECORDS", 0)
    first = opened(HashEncoder())
    first.update(entries(ITEMS))
    embed_all(first)
    encoder = HashEncoder()
    second = opened(encoder)
    second.update(entries(ITEMS[:10]))
    second.embed_from_disk()
    assert encoder.calls == 0
    with VectorStore(tmp_path, encoder.version, encoder.dimension) as store:
        assert store.records == len(store) == 10
    # What is added afterwards goes to the new file.
    second.update(entries([Item(item_id="new", title="New")]))
    embed_all(second)
    with VectorStore(tmp_path, encoder.version, encoder.dimension) as store:
        assert store.records == 11


class TestVectorStore:
    """The file itself."""

    TEXTS = ("a", "b", "中文", "")

    def vectors(self, count: int = 4) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
        return np.arange(count * 3, dtype=np.float32).reshape(count, 3)

    def test_what_was_added_is_found_in_any_order(self, tmp_path: Path) -> None:
        with VectorStore(tmp_path, "m", 3) as store:
            store.add(self.TEXTS, self.vectors())
        with VectorStore(tmp_path, "m", 3) as store:
            places, vectors = store.find(["", "nowhere", "b"])
            assert places.tolist() == [0, 2]
            assert vectors.tolist() == [[9, 10, 11], [3, 4, 5]]
            assert store.find([])[0].tolist() == []
            assert store.find(["nowhere"])[1].shape == (0, 3)

    def test_the_newest_vector_of_a_text_counts(self, tmp_path: Path) -> None:
        with VectorStore(tmp_path, "m", 3) as store:
            store.add(["a"], self.vectors(1))
            store.add(["a"], self.vectors(1) + 5)
        with VectorStore(tmp_path, "m", 3) as store:
            assert store.find(["a"])[1].tolist() == [[5, 6, 7]]

    @pytest.mark.parametrize("cut", [1, 7, 31])
    def test_a_torn_end_is_cut_off(self, tmp_path: Path, cut: int) -> None:
        with VectorStore(tmp_path, "m", 3) as store:
            store.add(self.TEXTS, self.vectors())
        content = store.path.read_bytes()
        store.path.write_bytes(content[:-cut])
        with VectorStore(tmp_path, "m", 3) as store:
            assert len(store) == 3
            store.add(["new"], self.vectors(1) + 1)
        with VectorStore(tmp_path, "m", 3) as store:
            assert store.find(["b", "", "new"])[1].tolist() == [[3, 4, 5], [1, 2, 3]]

    def test_a_damaged_record_is_passed_over(self, tmp_path: Path) -> None:
        with VectorStore(tmp_path, "m", 3) as store:
            store.add(self.TEXTS, self.vectors())
        content = bytearray(store.path.read_bytes())
        content[12 + 32 + 20] ^= 0xFF  # in the vector of the second record
        store.path.write_bytes(bytes(content))
        with VectorStore(tmp_path, "m", 3) as store:
            assert store.find(self.TEXTS)[0].tolist() == [0, 2, 3]

    @pytest.mark.parametrize("content", [b"", b"PS", b"something else, and long enough for a header"])
    def test_a_file_that_is_none_begins_anew(self, tmp_path: Path, content: bytes) -> None:
        (tmp_path / "m.vectors").write_bytes(content)
        with VectorStore(tmp_path, "m", 3) as store:
            assert len(store) == 0
            store.add(self.TEXTS, self.vectors())
        with VectorStore(tmp_path, "m", 3) as store:
            assert len(store) == 4

    def test_a_folder_that_cannot_be_made_is_a_setup_error(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("")
        with pytest.raises(SetupError, match="PROFILESTREAM_DATA_DIR"):
            VectorStore(tmp_path / "file", "m", 3)
