"""The evaluation worker: events, lists and outcomes → live hit rates and clicks by variant, source and place.

Table `live`, in the user's partition:

| key                                            | row                                                            |
|------------------------------------------------|----------------------------------------------------------------|
| user id                                        | `LiveUser`: newest lists and events, and the user's own counts |
| `\\0live`, experiment, `\\0`, variant, `\\0`, slice | `Moments`: sums over the users of the partition                |
| `\\0erased` + hash of the user                  | `Erasure`, as in the table `profiles`                          |

Bad and misplaced records are counted only: the profiles worker puts them aside, or sends them on. Erasing a user
deletes the row; the sums stay, for they name nobody.
"""

from collections.abc import Iterator
from typing import NoReturn

import numpy as np

from agents.erasures import Erasures
from agents.errors import RecordError
from agents.intake import Intake
from agents.live_users import Changes, LiveFolder, Slice
from agents.packed import MOMENTS, Moments, pack_ints, unpack_ints
from agents.records import Outcome, read_outcome
from agents.runtime.agent import TableReader, TransactionLike
from agents.runtime.batch import Batch, Record
from agents.runtime.metrics import Metrics, Name
from agents.runtime.worker import WorkerSpec, run_worker
from agents.settings import Settings
from agents.topics import Topics, build_topics
from agents.user_work import UserWork, group_by_user
from models.live_hits import ALL, LiveConfig
from models.user_sums import SIZE, UPPER, Ints, moments_of, total, users_of

PREFIX = b"\0live"
GATHER_S = 1.0
"""Nobody waits for a rate: sums are written once for all that comes in this time."""
MISPLACED, BAD = "misplaced", "bad"


class _Looker:
    """A transaction as seen by checks of records that another worker acts upon: what is wrong is counted."""

    def __init__(self, transaction: TransactionLike) -> None:
        self._transaction = transaction

    def forward(self, record: Record, partition: int) -> None:
        """The profiles worker sends it on: it will come again, in the right partition."""
        del partition
        self._transaction.ignore(record.topic, MISPLACED, 1)

    def dead_letter(self, record: Record, error: RecordError) -> None:
        """The profiles worker puts it aside."""
        del error
        self._transaction.ignore(record.topic, BAD, 1)


def moments_prefix(experiment: str) -> bytes:
    """What keys of the sums of an experiment begin with."""
    return PREFIX + f"{experiment}\0".encode()


def moments_key(experiment: str, variant: str, name: str) -> bytes:
    """Key of the sums of a variant's slice in the table `live`."""
    return moments_prefix(experiment) + f"{variant}\0{name}".encode()


def slice_of(experiment: str, key: bytes) -> Slice | None:
    """(variant, slice) of a key of the table; None: it is not one of sums of this experiment."""
    prefix = moments_prefix(experiment)
    if not key.startswith(prefix):
        return None
    variant, _, name = key.removeprefix(prefix).decode().partition("\0")
    return variant, name


def read_moments(value: bytes) -> Ints:
    """The matrix of sums in a row. Raises `RecordError`."""
    try:
        packed = unpack_ints(MOMENTS.read(value).upper)
    except (ValueError, IndexError, KeyError) as exc:
        raise RecordError("bad_packed", f"Moments: {exc}") from exc
    if len(packed) != len(UPPER[0]):
        raise RecordError("bad_packed", f"Moments: {len(packed)} sums, not {len(UPPER[0])}")
    moments = np.zeros((SIZE, SIZE), np.int64)
    moments[UPPER] = packed
    return moments + np.triu(moments, 1).T


class LiveAgent:
    """Keeps what lists and events make of each user, and the sums over users."""

    def __init__(self, settings: Settings, metrics: Metrics) -> None:
        self._metrics, self._topics, self._experiment = metrics, build_topics(settings), settings.experiment
        self._intake = Intake(settings)
        self._erasures = Erasures(settings.erasure_kept_days)
        self._config = LiveConfig(settings.evaluation_k, round(settings.attribution_s * 1000), settings.history_size)
        self._sums: dict[int, dict[Slice, Ints]] = {}
        self._shown: dict[tuple[Name, tuple[tuple[str, str], ...]], int] = {}

    def assigned(self, partitions: frozenset[int], table: TableReader) -> None:
        """Load who was erased, and the sums; users are read as they are needed."""
        self._erasures.load(partitions, table)
        self._sums = {
            partition: {
                found: read_moments(value)
                for key, value in table.scan(partition, moments_prefix(self._experiment))
                if (found := slice_of(self._experiment, key)) is not None
            }
            for partition in partitions
        }
        self._show()

    def pending(self) -> bool:
        """Nothing to do without input."""
        return False

    def refresh(self) -> None:
        """There are no views."""

    def absorb(self, batch: Batch, transaction: TransactionLike) -> None:
        """Fold a batch into the users' rows, and what changed into the sums."""
        work = group_by_user(batch, self._topics, self._intake, _Looker(transaction))
        outcomes = _outcomes(batch, self._topics, transaction)
        for partition in sorted({*work, *outcomes}):
            users, of_users, changes = work.get(partition, {}), outcomes.get(partition, {}), Changes()
            keys = [*dict.fromkeys([*users, *of_users])]
            for key, row in zip(keys, transaction.read(partition, keys), strict=True):
                folder = LiveFolder(self._config, self._experiment, row, self._erasures.of(partition, key), changes)
                after = folder.fold(users.get(key) or UserWork(key.decode()), of_users.get(key, ()), transaction)
                if after != row:
                    transaction.write(partition, key, after)
                if folder.erased:
                    self._erasures.note(partition, key, folder.erased_ms, transaction)
            self._add(partition, changes, transaction)
        self._erasures.let_go(transaction)
        self._show()

    def _add(self, partition: int, changes: Changes, transaction: TransactionLike) -> None:
        """Bring the sums of a partition up to date with its users' counts."""
        sums = self._sums.setdefault(partition, {})
        for place, (before, after) in changes.items():
            change = moments_of(np.array(after, np.int64)) - moments_of(np.array(before, np.int64))
            if change.any():
                sums[place] = sums.get(place, np.zeros_like(change)) + change
                row = MOMENTS.write(Moments(pack_ints(sums[place][UPPER])))
                transaction.write(partition, moments_key(self._experiment, *place), row)

    def _show(self) -> None:
        """Tell metrics the sums over the owned partitions. If they are not committed after all, the process ends."""
        shown = dict.fromkeys(self._shown, 0)  # what is of lost partitions goes to 0
        for sums in self._sums.values():
            for (variant, name), moments in sums.items():
                for gauge, labels, value in _gauges(variant, name, moments):
                    place = (gauge, tuple(labels.items()))
                    shown[place] = shown.get(place, 0) + value
        for (gauge, labels_of), value in shown.items():
            if self._shown.get((gauge, labels_of)) != value:
                self._metrics.set(gauge, value, **dict(labels_of))
        self._shown = shown


def _gauges(variant: str, name: str, moments: Ints) -> Iterator[tuple[Name, dict[str, str], int]]:
    """What metrics say of a slice: the whole by variant, what sources share out by source too."""
    if name == ALL:
        labels = {"variant": variant}
        yield "live_users", labels, users_of(moments)
        yield "live_lists", labels, total(moments, "lists")
        yield "live_events", labels, total(moments, "events")
    elif name.startswith("source:"):
        labels = {"variant": variant, "source": name.removeprefix("source:")}
        yield "live_places", labels, total(moments, "places")
        yield "live_shown", labels, total(moments, "shown")
        yield "live_clicked", labels, total(moments, "clicked")
        yield "live_bought", labels, total(moments, "bought")
        yield "live_skipped", labels, total(moments, "skipped")
        yield "live_hits", labels, total(moments, "hits")


_Outcomes = dict[int, dict[bytes, list[tuple[Record, Outcome]]]]


def _outcomes(batch: Batch, topics: Topics, transaction: TransactionLike) -> _Outcomes:
    """Partition → key → the user's outcomes."""
    found: _Outcomes = {}
    for partition, records in batch.of(topics.outcomes.name):
        for record in records:
            try:
                outcome = read_outcome(record.value)
            except RecordError:
                transaction.ignore(record.topic, BAD, 1)
                continue
            if record.key != outcome.user_id.encode():
                transaction.ignore(record.topic, BAD, 1)
                continue
            found.setdefault(partition, {}).setdefault(record.key, []).append((record, outcome))
    return found


def run(settings: Settings) -> NoReturn:
    """Work until told to stop or an error. Does not return: the process ends with the exit code."""
    topics = build_topics(settings)
    sources = (topics.events, topics.users, topics.recommendations, topics.outcomes)
    metrics = Metrics()
    spec = WorkerSpec("evaluation", sources, "live", gather_s=GATHER_S)
    run_worker(settings, spec, LiveAgent(settings, metrics), metrics)
