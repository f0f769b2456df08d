"""Files of labelled texts: what is read, and what is said of bad ones."""

from pathlib import Path

import pytest

from models.bert.training.examples import DataError, Example, held_out, labels_of, numbers_of, read_examples


def written(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_pairs_and_texts_are_read_from_each_format(tmp_path: Path) -> None:
    pairs = '{"text_a": "red", "text_b": "mug", "label": 1, "list": "u1", "other": 3}\n\n'
    assert read_examples(written(tmp_path / "a.jsonl", pairs)) == [Example(("red", "mug"), "1", "u1")]
    texts = 'text,label\n"good, very",yes\nbad,no\n'
    assert read_examples(written(tmp_path / "a.csv", texts)) == [
        Example(("good, very",), "yes"),
        Example(("bad",), "no"),
    ]
    assert read_examples(written(tmp_path / "b.csv", "\ufeff" + texts)) == read_examples(tmp_path / "a.csv")
    odd = '{"text": "one\u2028line", "label": 0, "list": 0}\n'
    assert read_examples(written(tmp_path / "b.jsonl", odd)) == [Example(("one\u2028line",), "0", "0")]
    assert read_examples(written(tmp_path / "a.tsv", "text\tlabel\n红色\tyes\n")) == [Example(("红色",), "yes")]


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.jsonl", '{"text": "a", "label": "x"}\n{"text": "b"}\n', "line 2 has no `label`"),
        ("a.jsonl", '{"text_a": "a", "label": "x"}\n', "line 1 has neither `text` nor both"),
        ("a.jsonl", '{"text": 3, "label": "x"}\n', "line 1 has neither"),
        ("a.jsonl", '{"text": "a", "label": true}\n', "line 1 has no `label`"),
        ("a.jsonl", "nonsense\n", "line 1 is no JSON"),
        ("a.jsonl", "[]\n", "line 1 is no JSON object"),
        ("a.jsonl", "\n", "holds no examples"),
        ("a.csv", "words,label\na,b\n", "line 2 has neither"),
        ("a.txt", "a", "must end in .jsonl, .csv or .tsv"),
        ("a.jsonl", '{"text": "a", "label": 1}\n{"text_a": "a", "text_b": "b", "label": 1}\n', "both single texts and"),
    ],
)
def test_a_bad_file_is_answered_with_its_line(name: str, text: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=said.replace(".", r"\.")):
        read_examples(written(tmp_path / name, text))


def test_a_missing_or_undecodable_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be read"):
        read_examples(tmp_path / "none.jsonl")
    (tmp_path / "latin.csv").write_bytes("text,label\nvoilà,x\n".encode("latin-1"))
    with pytest.raises(DataError, match="cannot be read"):
        read_examples(tmp_path / "latin.csv")


def test_labels_have_an_order() -> None:
    assert labels_of([Example(("a",), label) for label in ("10", "2", "-1")]) == ["-1", "2", "10"]
    assert labels_of([Example(("a",), label) for label in ("yes", "no")]) == ["no", "yes"]
    with pytest.raises(DataError, match="1 different labels"):
        labels_of([Example(("a",), "x")])


def test_unknown_labels_are_counted() -> None:
    examples = [Example(("a",), label) for label in ("x", "y", "z", "y")]
    assert numbers_of(examples[:1], ["w", "x"]).tolist() == [1]
    with pytest.raises(DataError, match=r"'y' \(2×\), 'z' \(1×\); it has w, x"):
        numbers_of(examples, ["w", "x"])


def test_one_list_cannot_be_held_out() -> None:
    with pytest.raises(DataError, match="give --validation FILE"):
        held_out([Example(("a", str(number)), "1", "u") for number in range(9)], 0.2, 1)


def test_lists_are_held_out_whole_and_by_seed() -> None:
    examples = [Example((f"{number}",), "x", f"user {number % 10}") for number in range(100)]
    train, out = held_out(examples, 0.2, seed=1)
    assert (len(train), len(out)) == (80, 20)
    assert not {one.of_list for one in train} & {one.of_list for one in out}
    assert held_out(examples, 0.2, seed=1) == (train, out)
    assert held_out(examples, 0.2, seed=2) != (train, out)
    plain = [Example((f"{number}",), "x") for number in range(50)]
    assert len(held_out(plain, 0.1, 0)[1]) == 5
