"""Every setting of the workers and the command line, read once from the environment and validated at start.

A setting `name` comes from the variable `PROFILESTREAM_NAME`. A wrong value ends the process with a message that names
the variable (`SettingsError`, exit code 2).
"""

from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_core import ErrorDetails
from pydantic_settings import NoDecode

from agents.errors import SettingsError
from agents.records import EventType
from agents.security import ENV_PREFIX, SecuritySettings, variable
from agents.variants import Variants, read_variants

__all__ = ["ENV_PREFIX", "Settings", "read_settings"]

Names = Annotated[tuple[str, ...], NoDecode]
MOST_WEIGHT = 1_000_000
"""Larger weights would leave the range of a float32 when they are multiplied."""
MOST_ROW_NEIGHBOURS = 25_000
"""An item row must fit a message: it takes at most 16 bytes a neighbour, and grows by a quarter before it is cut."""


class Settings(SecuritySettings):
    """What may be tuned. Defaults run on one laptop; clusters want a `replication_factor` of 3 and more partitions."""

    # --- Kafka
    bootstrap_servers: str = Field("127.0.0.1:9092", description="Kafka brokers, host:port[,host:port…].")
    topic_prefix: str = Field("", pattern=r"^[a-zA-Z0-9._-]*$", description="Put before every topic and group name.")
    user_partitions: int = Field(4, ge=1, le=10_000, description="Partitions of every user-keyed topic.")
    item_partitions: int = Field(4, ge=1, le=10_000, description="Partitions of every item-keyed topic.")
    replication_factor: int = Field(1, ge=1, le=10, description="Replicas of each topic; 3 on a cluster.")
    session_timeout_ms: int = Field(10_000, ge=1_000, description="A silent worker loses its partitions after this.")
    transaction_timeout_ms: int = Field(
        10_000,
        ge=1_000,
        le=900_000,  # a broker takes no more, unless its transaction.max.timeout.ms is raised
        description="An open transaction of a dead worker is aborted after this.",
    )
    embedded: bool = Field(False, description="The broker is the embedded one: no topic creation, nothing is durable.")

    # --- one worker
    instance: str = Field("1", pattern=r"^[a-zA-Z0-9._-]+$", description="Stable, unique name of this worker process.")
    data_dir: Path = Field(Path("profilestream-data"), description="Folder of the local state.")
    http_host: str = Field("127.0.0.1", description="Where health and metrics are served.")
    http_port: int = Field(0, ge=0, le=65_535, description="Port for health and metrics; 0: none served.")
    standby: bool = Field(False, description="Keep a copy of the partitions that other workers of the kind own.")
    max_batch_records: int = Field(20_000, ge=1, description="Most records taken in one fetch.")
    dead_letters_in_row: int = Field(
        1_000, ge=0, description="So many bad records in a row stop the worker; 0: no limit."
    )
    dead_letters_share: float = Field(
        0.5, ge=0, le=1, description="Such a share of bad records among the newest stops the worker; 0: no limit."
    )
    dead_letters_window: int = Field(10_000, ge=1, description="Newest records among which that share is counted.")
    accept_lost_records: bool = Field(False, description="Go on although records were deleted before being absorbed.")
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="The least that is logged.")

    # --- commands
    data: Path | None = Field(None, description="Folder with the public data sets that `evaluate` knows by name.")
    pseudonym_key: SecretStr = Field(SecretStr(""), description="User ids leave commands as HMACs; empty: as they are.")
    pseudonym_key_file: Path | None = Field(None, description="File that holds that key.")

    # --- profiles
    history_size: int = Field(
        2_000, ge=1, le=10_000, description="Distinct items kept in a history (H); with very long ids fewer."
    )
    strength_view: float = Field(
        1.0,
        gt=0,
        le=1_000,
        description="How strong a view makes a contact; the strongest event counts.",
    )
    strength_click: float = Field(2.0, gt=0, le=1_000, description="… by a click.")
    strength_like: float = Field(3.0, gt=0, le=1_000, description="… by a like.")
    strength_share: float = Field(3.0, gt=0, le=1_000, description="… by a share.")
    strength_cart: float = Field(3.0, gt=0, le=1_000, description="… by putting it into a cart.")
    strength_purchase: float = Field(5.0, gt=0, le=1_000, description="… by a purchase.")
    interest_alpha: float = Field(0.9, ge=0, lt=1, description="α of I ← α·I + (1 − α)·b; higher forgets slower.")
    interests_kept: int = Field(100, ge=1, le=1_000, description="Strongest interests kept in a profile.")
    event_ids_kept: int = Field(
        50, ge=0, le=1_000, description="Newest event ids of a user against which doubles are found."
    )
    segment_attributes: Names = Field((), description="Attributes whose values make a user's segment, comma-separated.")
    trigger_types: Annotated[tuple[EventType, ...], NoDecode] = Field(
        ("click", "like", "cart", "purchase", "rate"),
        description="Event types after which the user gets a new list, comma-separated; empty: only on request.",
    )
    trigger_max_age_s: float = Field(
        300.0,
        ge=0,
        description="After a backlog, an event older than this gets no list (state is kept up); 0: any age.",
    )
    list_items: int = Field(10, ge=1, le=100, description="Items of a list that an event triggered.")
    lists_in_flight: int = Field(5, ge=0, le=100, description="Newest lists of a user that outcomes are matched with.")
    attribution_events: int = Field(20, ge=1, description="A list is closed after so many later events of its user …")
    attribution_s: float = Field(86_400.0, gt=0, description="… or after so many seconds of record time.")
    event_future_s: float = Field(86_400.0, ge=0, description="An event's timestamp may be so far ahead of the record.")
    erasure_kept_days: int = Field(
        97, ge=1, description="An erasure is remembered so long: a week more than any topic keeps its records."
    )
    request_deadline_ms: int = Field(0, ge=0, description="Deadline of requests that name none; 0: no deadline.")
    lists_by: Literal["scorer", "profiles"] = Field(
        "scorer", description="Who makes the lists; `profiles`: its workers, a hop less, but no model reads texts."
    )

    # --- similarity
    pair_window: int = Field(50, ge=1, le=1_000, description="Pairs reach so many places back in a history (W).")
    gather_s: float = Field(2.0, ge=0, le=60, description="Co-count changes are gathered so long per transaction.")
    row_neighbours: int = Field(
        1_000,
        ge=0,
        le=MOST_ROW_NEIGHBOURS,
        description="Strongest neighbours kept in an item row; 0: as many as a message holds.",
    )
    neighbours_published: int = Field(200, ge=1, le=1_000, description="Co-counts published for an item (M).")
    neighbours_scored: int = Field(100, ge=1, le=1_000, description="Neighbours of an item used for scoring (K).")
    rows_published_per_s: int = Field(500, ge=1, description="Most `neighbours` records written in a second.")
    similarity: Literal["co", "cosine"] = Field("co", description="Which weight ranks an item's neighbours.")
    shrinkage: float = Field(60.0, ge=0, description="Added to the norms of `co`: rare items weigh less.")
    ridge_neighbours: int = Field(
        50,
        ge=0,
        le=200,
        description="Strongest neighbours among which an item's ridge weights are solved (R); 0: none.",
    )
    ridge_regularisation: float = Field(30.0, gt=0, description="λ of ridge; higher trusts rare pairs less.")
    popularity_half_life: float = Field(7_500.0, gt=0, description="Popularity halves after so many events.")

    # --- candidates
    recent_items: int = Field(100, ge=1, description="Newest items of a history used for scoring.")
    recency_power: float = Field(1.0, ge=0, description="The k-th newest item weighs (k + 1) ** -power.")
    ridge_recency_power: float = Field(0.5, ge=0, description="… in ridge scores.")
    pause_recency_power: float = Field(0.2, ge=0, description="… in both after a pause, see `pause_s`.")
    pause_recent_items: int = Field(300, ge=1, description="Newest items used for scoring after a pause.")
    pause_s: float = Field(
        3_600.0, ge=0, description="Who asks so long after the last event comes back: more than the last visit counts."
    )
    candidates_item_cf: int = Field(100, ge=0, description="Items that neighbours of the history propose for a list.")
    candidates_popular: int = Field(50, ge=0, description="… the most popular ones propose.")
    candidates_user_cf: int = Field(
        0, ge=0, description="… the nearest of the users that were active last; 0: no user CF, which costs nothing."
    )
    user_cf_users: int = Field(2_000, ge=1, description="Users active last that user CF looks at, of each worker.")
    user_cf_near: int = Field(50, ge=1, description="Most similar ones of them that are asked.")
    candidates_segment: int = Field(20, ge=0, description="… those popular in the user's segment.")
    candidates_interest: int = Field(20, ge=0, description="… those popular among the user's interests.")
    candidates_fresh: int = Field(10, ge=0, description="… the newest ones of these.")

    # --- scorer
    bert_model: str = Field(
        "", description="Folder or Hugging Face id of a BERT model; `bundled`: MiniLM; empty: no BERT."
    )
    device: Literal["auto", "cpu", "cuda"] = Field(
        "auto", description="Where the model works; `auto`: on a GPU where there is one."
    )
    candidates_content: int = Field(50, ge=0, description="Items nearest to the profile embedding.")
    weight_item_cf: float = Field(
        1.0, ge=0, le=MOST_WEIGHT, description="Weight of neighbours of the history in the blend."
    )
    weight_ridge: float = Field(0.75, ge=0, le=MOST_WEIGHT, description="… of ridge.")
    weight_user_cf: float = Field(0.3, ge=0, le=MOST_WEIGHT, description="… of user CF.")
    weight_popular: float = Field(0.2, ge=0, le=MOST_WEIGHT, description="… of popularity.")
    pause_popular: float = Field(
        3.0, ge=0, le=MOST_WEIGHT, description="… is multiplied with this after a pause, see `pause_s`."
    )
    pause_ridge: float = Field(2.0, ge=0, le=MOST_WEIGHT, description="So is the weight of ridge with this.")
    weight_segment: float = Field(0.05, ge=0, le=MOST_WEIGHT, description="… of popularity in the segment.")
    weight_interest: float = Field(0.2, ge=0, le=MOST_WEIGHT, description="… of popularity by interest.")
    weight_fresh: float = Field(0.05, ge=0, le=MOST_WEIGHT, description="… of freshness.")
    weight_content: float = Field(0.1, ge=0, le=MOST_WEIGHT, description="… of the nearness of texts.")
    cross_model: str = Field(
        "",
        description="Folder or Hugging Face id of a cross-encoder until `models announce` names one, or `announced`; "
        "empty: no second stage.",
    )
    cross_candidates: int = Field(10, ge=1, le=1_000, description="Best candidates of a list that it reads.")
    cross_ms: int = Field(
        150, ge=1, le=5_000, description="It works on a batch so long; lists that it does not get to are `degraded`."
    )
    weight_bert: float = Field(0.5, ge=0, le=MOST_WEIGHT, description="Weight of what it says, in the blend.")
    learned_ranker: bool = Field(
        True, description="Rank with the learner's weights while they are better; off: with these alone."
    )
    diversity: float = Field(0.05, ge=0, le=1, description="MMR: 0 ranks by score alone, 1 by variety alone.")
    calibration: float = Field(
        0.0, ge=0, le=1, description="A list has the history's categories in their shares: 0 no, 1 at any price."
    )
    category_cap: int = Field(0, ge=0, description="Most items of one category in a list; 0: no cap.")
    explore_slots: int = Field(0, ge=0, le=10, description="Of each ten places so many, the last, show new items.")
    explore_impressions: int = Field(
        100, ge=1, le=1_000_000, description="Shown there so often, an item is new no more."
    )
    scorer_threads: int = Field(0, ge=0, description="Processor threads of the model; 0: half of the cores.")
    scorer_batch: int = Field(256, ge=1, description="Most lists scored in one transaction.")

    # --- learner
    learn_every_s: float = Field(30.0, ge=0, le=60, description="Weights are learned and published at most so often.")
    learning_half_life: float = Field(50_000.0, ge=100, description="What a choice taught fades by half after so many.")
    learned_errors: float = Field(
        2.0, ge=0, description="Learned weights are used while they are better by more than so many standard errors."
    )
    # --- experiments and their evaluation
    variants: Annotated[Variants, NoDecode] = Field(
        {}, description="JSON: variant → `share` of the users, and the settings of candidates and ranking it changes."
    )
    experiment: str = Field(
        "1",
        max_length=200,
        description="Name of the experiment: under another one users are dealt out and counted anew.",
    )
    evaluation_k: int = Field(10, ge=1, le=100, description="An event hits a list if its item is among the first k.")

    @model_validator(mode="after")
    def _embedded_is_plain(self) -> Self:
        if self.embedded and self.security_protocol != "PLAINTEXT":
            raise ValueError("PROFILESTREAM_EMBEDDED: the embedded broker speaks PLAINTEXT alone: unset one of both")
        return self

    @model_validator(mode="after")
    def _models_have_a_scorer(self) -> Self:
        if self.lists_by == "profiles":
            for name in ("bert_model", "cross_model"):
                if getattr(self, name):
                    raise ValueError(
                        f"{variable(name)}: only a scorer reads texts: unset it, or set {variable('lists_by')}=scorer"
                    )
        return self

    @field_validator("variants", mode="before")
    @classmethod
    def _read_variants(cls, value: object) -> Variants:
        return read_variants(value, cls.model_fields)

    @field_validator("trigger_types", "segment_attributes", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return tuple(word.strip() for word in value.split(",") if word.strip()) if isinstance(value, str) else value


_OTHER_VARIABLES = {"PROFILESTREAM_CACHE"}


def unknown_variables(environment: Iterable[str]) -> list[str]:
    """What is to be said of variables that look like settings and are none, such as misspelt ones."""
    said = []
    for name in sorted(name for name in environment if name.startswith(ENV_PREFIX) and name not in _OTHER_VARIABLES):
        setting = name.removeprefix(ENV_PREFIX).lower()
        if setting not in Settings.model_fields:
            near = get_close_matches(setting, Settings.model_fields, 1)
            meant = f"; is {variable(near[0])} meant?" if near else ""
            said.append(f"{name} is no setting and has no effect{meant}")
    return said


def read_settings(**overrides: object) -> Settings:
    """The settings of this process. Raises `SettingsError` that names each wrong variable and what it must be."""
    try:
        return Settings(**overrides)  # type: ignore[arg-type]
    except ValidationError as exc:
        raise SettingsError("wrong setting\n  " + "\n  ".join(map(_line, exc.errors()))) from exc


def _line(error: ErrorDetails) -> str:
    """One fault: the variable, its value unless that is secret, and what it must be."""
    if not error["loc"]:  # a fault of several settings, which its text names
        return str(error.get("ctx", {}).get("error", error["msg"]))
    name = str(error["loc"][0])
    secret = "SecretStr" in str(Settings.model_fields[name].annotation)
    value = "" if secret else f"={error['input']!r}"
    return f"{variable(name)}{value}: {error['msg']}"
