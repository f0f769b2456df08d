"""Files and data sets as events: order, what is refused, what is missing."""

import gzip
import json
from pathlib import Path

import pytest

from agents.errors import SetupError
from agents.evaluation.datasets import load, load_file
from agents.evaluation.events import from_rows, in_time_order, units

Row = dict[str, object]


def file_of(folder: Path, *rows: Row) -> Path:
    path = folder / "events.jsonl"
    path.write_text("\n".join(json.dumps(row) for row in rows))
    return path


def test_a_file_is_sorted_by_time_and_moments_are_drawn_alike(tmp_path: Path) -> None:
    rows: list[Row] = [{"user_id": f"u{n}", "item_id": "i", "timestamp": 100 - n // 10} for n in range(100)]
    path = file_of(tmp_path, *rows)
    first, again = load_file(path).events, load_file(path).events
    assert first == again
    assert [event.at_ms for event in first] == sorted(event.at_ms for event in first)
    assert first != sorted(from_rows(rows), key=lambda event: event.at_ms), "the order of the file says nothing"


def test_a_basket_stays_together_where_it_began() -> None:
    rows = [
        {"user_id": user, "item_id": f"{user}{at}", "timestamp": at, "basket": basket}
        for user, at, basket in (("a", 9, "x"), ("b", 2, ""), ("a", 1, "x"), ("b", 3, ""), ("a", 5, "y"), ("c", 1, "x"))
    ]
    found = [[event.taken for event in unit] for unit in units(in_time_order(from_rows(rows)))]
    assert [sorted(map(str, unit)) for unit in found] == [["a1", "a9"], ["c1"], ["b2"], ["b3"], ["a5"]]


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ({"item_id": "i", "timestamp": 1}, "'user_id' is missing"),
        ({"user_id": "u", "timestamp": 1}, "'item_id' is missing"),
        ({"user_id": "u", "item_id": "i", "timestamp": "x"}, "could not convert"),
        ({"user_id": "u", "item_id": "i", "timestamp": float("nan")}, "nan is not a number"),
        ({"user_id": "u", "item_id": "i", "timestamp": 1e300}, "timestamp"),
        ({"user_id": None, "item_id": "i", "timestamp": 1}, "null"),
        ({"user_id": "u\x00", "item_id": "i", "timestamp": 1}, "user_id"),
        ({"user_id": "u", "item_id": "i", "timestamp": 1, "event_type": "nap"}, "event_type"),
        ({"user_id": "u", "item_id": "i", "timestamp": 1, "rating": 1_000}, "rating"),
        ({"user_id": "u", "item_id": "i", "timestamp": 1, "event_type": "rate"}, "'rating' is missing"),
        ({"user_id": "u", "timestamp": 1, "event_type": "search"}, "'query' is missing"),
    ],
)
def test_a_row_that_a_worker_would_refuse_is_named(row: Row, why: str, tmp_path: Path) -> None:
    path = file_of(tmp_path, {"user_id": "u", "item_id": "i", "timestamp": 1}, row)
    with pytest.raises(SetupError, match=rf"events.jsonl: row 2: .*{why}"):
        load_file(path)


def test_a_catalogue_entry_that_a_worker_would_refuse_is_named(tmp_path: Path) -> None:
    events = file_of(tmp_path, {"user_id": "u", "item_id": "7", "timestamp": 1})
    items = tmp_path / "items.jsonl"
    items.write_text('{"item_id": 7, "title": "Seven"}')
    assert load_file(events, items).items == [{"item_id": "7", "title": "Seven"}]
    items.write_text('{"item_id": 7}\n{"title": "nobody"}')
    with pytest.raises(SetupError, match=r"items\.jsonl: row 2"):
        load_file(events, items)
    items.write_text("{")
    with pytest.raises(SetupError, match="cannot be read"):
        load_file(events, items)


def test_a_parquet_file_that_is_none_is_named(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    path = tmp_path / "events.parquet"
    path.write_bytes(b"PK")
    with pytest.raises(SetupError, match=r"cannot read .*events\.parquet"):
        load_file(path)


def test_a_data_set_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with pytest.raises(SetupError, match="neither a file nor one of the data sets"):
        load("ml-1b")
    monkeypatch.delenv("PROFILESTREAM_DATA", raising=False)
    with pytest.raises(SetupError, match="set PROFILESTREAM_DATA"):
        load("ml-100k")
    monkeypatch.setenv("PROFILESTREAM_DATA", str(tmp_path))
    with pytest.raises(SetupError, match=r"u\.data is missing"):
        load("ml-100k")


@pytest.fixture
def data(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("PROFILESTREAM_DATA", str(tmp_path))
    return tmp_path


def write(folder: Path, **files: str | bytes) -> None:
    folder.mkdir()
    for name, content in files.items():
        path = folder / name.replace("__", ".")
        path.write_bytes(content if isinstance(content, bytes) else content.encode("latin-1"))


def test_movielens(data: Path) -> None:
    flags = "|".join("1" if n in {1, 5} else "0" for n in range(19))
    write(
        data / "ml-100k",
        u__data="196\t242\t3\t881250949\n",
        u__item=f"242|Caf\xe9 (1996)|01-Jan-1996||http://x|{flags}\n",
    )
    found = load("ml-100k")
    assert (found.events[0].event.rating, found.events[0].at_ms) == (3.0, 881_250_949_000)
    assert found.items == [{"item_id": "242", "title": "Caf\xe9 (1996)", "categories": ["Action", "Comedy"]}]
    write(
        data / "ml-latest-small",
        ratings__csv="userId,movieId,rating,timestamp\n1,7,4.5,964982703\n",
        movies__csv="movieId,title,genres\n7,Seven,Crime|Drama\n8,Eight,(no genres listed)\n",
    )
    found = load("ml-latest-small")
    assert (found.events[0].event.item_id, found.events[0].event.rating) == ("7", 4.5)
    assert [item["categories"] for item in found.items] == [["Crime", "Drama"], []]


def test_giftcards(data: Path) -> None:
    review = {"reviewerID": "A1", "asin": "B1", "overall": 5.0, "unixReviewTime": 1_529_193_600}
    meta = {"asin": "B1", "title": "A card", "description": ["one", "two"], "brand": "Brand"}
    packed = {name: gzip.compress(json.dumps(row).encode()) for name, row in (("r", review), ("m", meta))}
    write(data / "amazon_giftcards", Gift_Cards_5__json__gz=packed["r"], meta_Gift_Cards__json__gz=packed["m"])
    found = load("amazon_giftcards")
    assert (found.events[0].user_id, found.events[0].event.event_type) == ("A1", "rate")
    assert found.items == [{"item_id": "B1", "title": "A card", "description": "one two", "tags": ["Brand"]}]


def test_office_keeps_each_user_s_order(data: Path) -> None:
    head = "user_id,history_item_id,item_id\n"
    write(
        data / "amazon_office",
        Office_Products__valid__csv=head + 'A,"[1, 2]",3\nB,[7],8\n',
        Office_Products__test__csv=head + 'A,"[1, 2, 3]",4\n',
        Office_Products__item__json='{"1": {"title": "One"}}',
    )
    found = load("amazon_office")
    assert [event.taken for event in found.events if event.user_id == "A"] == ["1", "2", "3", "4"]
    assert [event.taken for event in found.events if event.user_id == "B"] == ["7", "8"]


def test_online_retail_leaves_out_lines_without_a_customer(data: Path) -> None:
    arrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    (data / "online_retail").mkdir()
    lines = [(1, "B", 7.0), (1, "A", 7.0), (2, "C", 0.0), (3, "D", 8.0)]
    names = ("InvoiceNo", "StockCode", "CustomerID", "Description", "InvoiceDate")
    rows = [dict(zip(names, (*line, " A thing ", "2010-12-01 08:26:00"), strict=True)) for line in lines]
    parquet.write_table(arrow.Table.from_pylist(rows), data / "online_retail" / "online_retail.parquet")
    assert [event.taken for event in load("online_retail-file").events] == ["B", "A", "D"]
    baskets = [[event.taken for event in unit] for unit in units(load("online_retail-basket").events)]
    assert sorted(map(len, baskets)) == [1, 2]
    assert load("online_retail").items[0] == {"item_id": "B", "title": "A thing"}
