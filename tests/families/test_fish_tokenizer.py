import json
import shutil
from pathlib import Path

import pytest

from kaiku.errors import CorruptFile, KaikuError
from kaiku.families.fish.sequence import clean_text, text_ids
from kaiku.families.fish.tokenizer import RANKS, SPECIALS, ByteTokenizer, TiktokenTokenizer, read_tokenizer

UPSTREAM = Path(__file__).parents[1] / "fixtures" / "fish"


@pytest.fixture(scope="module")
def tokenizer():
    return read_tokenizer(UPSTREAM / "model", 1088)


@pytest.fixture
def folder(tmp_path):
    for name in (RANKS, SPECIALS):
        shutil.copyfile(UPSTREAM / "model" / name, tmp_path / name)
    return tmp_path


def test_upstreams_ids(tokenizer):
    rows = json.loads((UPSTREAM / "tokenizer_ref.json").read_text())
    assert len(rows) == 7
    for row in rows:
        assert tokenizer.encode(row["text"]) == row["ids_no_special"]
        assert tokenizer.encode_with_specials(row["text"]) == row["ids"]


def test_upstreams_text_cleaning():
    pairs = json.loads((UPSTREAM / "clean_text_ref.json").read_text())
    assert [clean_text(raw) for raw, _ in pairs] == [cleaned for _, cleaned in pairs]


def test_only_the_order_of_special_tokens_counts(tokenizer, folder):
    listed = json.loads((folder / SPECIALS).read_text())
    (folder / SPECIALS).write_text(json.dumps(dict.fromkeys(listed, 7)))
    assert read_tokenizer(folder, 1088).specials == tokenizer.specials == listed


def test_without_a_list_upstreams_own_is_used(tokenizer, folder):
    (folder / SPECIALS).unlink()
    assert read_tokenizer(folder, 1088).specials == tokenizer.specials


def test_saved_files_are_upstreams_bytes(tokenizer, tmp_path):
    tokenizer.save(tmp_path)
    for name in (RANKS, SPECIALS):
        assert (tmp_path / name).read_bytes() == (UPSTREAM / "model" / name).read_bytes()


def test_semantic_tokens_must_be_one_run(folder):
    listed = list(json.loads((folder / SPECIALS).read_text()))
    listed[-1], listed[-2] = listed[-2], listed[-1]
    (folder / SPECIALS).write_text(json.dumps(dict.fromkeys(listed, 0)))
    with pytest.raises(KaikuError, match="not one run"):
        read_tokenizer(folder, 1088)


def test_another_models_special_tokens_are_refused(folder):
    (folder / SPECIALS).write_text(json.dumps({"<|endoftext|>": 0}))
    with pytest.raises(KaikuError, match=r"no <\|begin_of_text\|>.* among the special tokens"):
        read_tokenizer(folder, 1088)


def test_a_cut_list_of_special_tokens_is_told(folder):
    (folder / SPECIALS).write_text((folder / SPECIALS).read_text()[:40])
    with pytest.raises(CorruptFile, match=rf"{SPECIALS} cannot be read"):
        read_tokenizer(folder, 1088)


def test_a_broken_rank_is_told_with_its_line(folder):
    lines = (folder / RANKS).read_text().splitlines()
    lines[4] = "BA=="
    (folder / RANKS).write_text("\n".join(lines))
    with pytest.raises(CorruptFile, match="line 5"):
        read_tokenizer(folder, 1088)


def test_an_empty_token_is_read():
    specials = [*json.loads((UPSTREAM / "model" / SPECIALS).read_text())]
    ranks = (UPSTREAM / "model" / RANKS).read_bytes() + b"= 270\n"
    tokenizer = TiktokenTokenizer(ranks, specials, where="here")
    assert tokenizer.semantic_begin == 286 and tokenizer.encode("xyz") == list(b"xyz")


def test_a_folder_without_a_tokenizer_names_what_it_holds(tmp_path):
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(KaikuError, match=r"holds \['tokenizer.json'\].*tokenizer.tiktoken"):
        read_tokenizer(tmp_path, 8)


def test_bytes_come_back_from_their_folder(tmp_path):
    ByteTokenizer(128).save(tmp_path)
    tokenizer = read_tokenizer(tmp_path, 128)
    assert tokenizer.encode("ä<|voice|>") == list("ä<|voice|>".encode())
    assert (tokenizer.semantic_begin, tokenizer.semantic_end, tokenizer.size) == (260, 387, 388)
    assert text_ids(tokenizer, " hei ", "", "instruct") == [tokenizer.bos, *b"hei", tokenizer.voice]
    assert text_ids(tokenizer, "hei", "aino", "instruct") == [tokenizer.bos, *b"aino: hei", tokenizer.voice]


@pytest.mark.parametrize("layout", ["instruct", "interleave"])
def test_a_named_speaker_stands_before_the_text(tokenizer, layout):
    named = text_ids(tokenizer, "hei", "aino", layout)
    assert tokenizer._encoding.decode(named) in (
        "Speak out the provided text.<|speaker:user|> <|speaker:aino|> hei<|im_end|><|speaker:assistant|> <|voice|>",
        "<|interleave|><|speaker:aino|>hei",
    )
    assert text_ids(tokenizer, "hei", "", layout) != named


def test_text_cannot_hold_a_special_token(tokenizer):
    ids = text_ids(tokenizer, "hei <|im_end|><|semantic:3|>", "", "instruct")
    assert ids.count(tokenizer.end) == 1 and all(i < tokenizer.semantic_begin for i in ids)
