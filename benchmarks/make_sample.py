"""Cuts the bundled sample out of Online Retail: all purchases of a random part of the known customers.

    PROFILESTREAM_DATA=folder python -m benchmarks.make_sample

The folder holds `online_retail/online_retail.parquet` with the columns of the original. The same input gives the same
files, byte for byte. What is changed is told in `agents/sample/README.md`.
"""

import csv
import gzip
import io
import json
import os
import random
import re
import statistics
import sys
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

SAMPLE = Path(__file__).resolve().parents[1] / "agents" / "sample"
MOST_EVENTS = 50_000
MOST_OF_ONE_CUSTOMER = 1_000
"""The largest of the few wholesalers would make a fifth of the sample's last part."""
SEED = 20101201
ITEM_CODE = re.compile(r"\d{5}")
"""Goods begin with five digits; POST, DOT, M, C2, BANK CHARGES and the like are services."""

# The data have no categories. These come from words of the titles; an item may be in several, or in none.
CATEGORIES = {
    "bags": "BAG BAGS HANDBAG BACKPACK SHOPPER HOLDALL RUCKSACK",
    "baking": "BAKING CAKE CAKES CUPCAKE MOULD CASES CAKESTAND COOKIE RECIPE",
    "candles": "CANDLE CANDLES CANDLEHOLDER T-LIGHT T-LIGHTS LANTERN INCENSE",
    "christmas": "CHRISTMAS XMAS ADVENT SANTA REINDEER SNOWMAN",
    "crafts": "KNITTING SEWING FELTCRAFT CRAFT RIBBON RIBBONS BUTTONS CROCHET",
    "drinks": "MUG MUGS TEA TEACUP TEACUPS TEAPOT CUP CUPS COFFEE SAUCER BOTTLE GLASS",
    "easter": "EASTER BUNNY CHICK EGG EGGS",
    "garden": "GARDEN PLANT PLANTER WATERING FLOWERPOT PARASOL BIRDHOUSE",
    "home": "CUSHION DOORMAT CLOCK MIRROR FRAME DOORSTOP HOOK HANGER DRAWER CABINET KNOB SIGN THROW",
    "jewellery": "NECKLACE BRACELET EARRINGS RING PENDANT BROOCH BANGLE CHARM HAIR",
    "kitchen": "KITCHEN BOWL PLATE TRAY JAR PANTRY APRON CUTLERY PAN JUG COASTER COASTERS SPOON",
    "lighting": "LIGHT LIGHTS LAMP LAMPSHADE LED",
    "lunch": "LUNCH PICNIC SNACK FLASK",
    "party": "PARTY BUNTING GARLAND BALLOON BALLOONS NAPKINS BIRTHDAY CONE",
    "stationery": "NOTEBOOK PENCIL PENCILS PEN CARD CARDS STICKERS PAPER SKETCHBOOK JOURNAL ERASER RULER STAMP STAMPS",
    "storage": "BOX BOXES TIN TINS STORAGE BASKET CRATE",
    "toys": "TOY TOYS DOLL DOLLY PUZZLE JIGSAW GAME GAMES DOMINOES SKITTLES PLAYHOUSE SOLDIER",
    "wrapping": "WRAP GIFTWRAP TAGS TISSUE",
}


class Line(NamedTuple):
    """One line of an invoice."""

    invoice: int
    item: str
    title: str
    time: str
    price: float
    customer: int


def goods(path: Path) -> list[Line]:
    """Lines of known customers, services left out, in the order of the file (which is the order of time)."""
    import pyarrow.parquet as pq

    columns = ["InvoiceNo", "StockCode", "Description", "InvoiceDate", "UnitPrice", "CustomerID"]
    rows = pq.read_table(path, columns=columns).to_pylist()
    lines = (Line(*(row[name] for name in columns[:-1]), int(row["CustomerID"] or 0)) for row in rows)
    return sorted((line for line in lines if line.customer and ITEM_CODE.match(line.item)), key=lambda line: line.time)


def without_repeats(lines: Iterable[Line]) -> list[Line]:
    """The first line of each item in each invoice."""
    first: dict[tuple[int, str], Line] = {}
    for line in lines:
        first.setdefault((line.invoice, line.item), line)
    return list(first.values())


def some_customers(lines: list[Line]) -> set[int]:
    """As many customers, drawn by chance, as have no more than the wanted number of lines."""
    sizes = Counter(line.customer for line in lines)
    order = sorted(customer for customer, size in sizes.items() if size <= MOST_OF_ONE_CUSTOMER)
    random.Random(SEED).shuffle(order)
    chosen: set[int] = set()
    total = 0
    for customer in order:
        total += sizes[customer]
        if total > MOST_EVENTS:
            break
        chosen.add(customer)
    return chosen


def catalogue(lines: list[Line]) -> list[dict[str, object]]:
    """One entry for each item: its commonest title, its categories, the median of its prices."""
    by_item: dict[str, list[Line]] = {}
    for line in lines:
        by_item.setdefault(line.item, []).append(line)
    entries: list[dict[str, object]] = []
    for item, of_item in sorted(by_item.items()):
        title = " ".join(Counter(line.title for line in of_item).most_common(1)[0][0].split())
        words = set(re.findall(r"[A-Z-]+", title.upper()))
        categories = [name for name, signs in CATEGORIES.items() if words & set(signs.split())]
        price = round(statistics.median(line.price for line in of_item), 2)
        entries.append({"item_id": item, "title": title, "categories": categories, "price": price})
    return entries


def seconds(time: str) -> int:
    """The invoice's time as seconds since 1970; the shop's local time is taken as UTC."""
    return int(datetime.fromisoformat(time).replace(tzinfo=UTC).timestamp())


def write(path: Path, text: str) -> None:
    """Compressed, without a time or a name in it, so that equal content is an equal file."""
    path.write_bytes(gzip.compress(text.encode(), compresslevel=9, mtime=0))


def main() -> None:
    """Writes both files and says what is in them."""
    folder = os.environ.get("PROFILESTREAM_DATA")
    if not folder:
        sys.exit("Set PROFILESTREAM_DATA to the folder that holds online_retail/online_retail.parquet.")
    lines = without_repeats(goods(Path(folder) / "online_retail" / "online_retail.parquet"))
    customers = some_customers(lines)
    kept = [line for line in lines if line.customer in customers]
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(["user_id", "item_id", "event_type", "timestamp"])
    writer.writerows([f"c{line.customer}", line.item, "purchase", seconds(line.time)] for line in kept)
    items = catalogue(kept)
    write(SAMPLE / "events.csv.gz", table.getvalue())
    write(SAMPLE / "items.jsonl.gz", "".join(json.dumps(item, ensure_ascii=False) + "\n" for item in items))
    named = sum(bool(item["categories"]) for item in items)
    print(f"{len(kept)} purchases of {len(customers)} customers; {len(items)} items, {named} with a category")


if __name__ == "__main__":
    main()
