"""`kaiku.lock` as a file: what is written is read, two people's lines may be laid together, damage is told."""

import pytest

from kaiku.errors import CorruptFile
from kaiku.workspace import attestation
from kaiku.workspace.attestation import Attestation

KEY = """'{"stage":"encode","weights":{"codec":"äö\\t"}}'"""
TOKENS = Attestation("data/tokens/toy/otso/000.npy", "d1", "encode_tokens", (KEY,), (("b", "2"), ("a b", "1")), 17.25)
OTHER = Attestation("data/segments/otso/000.tar", "d2", "segment_recordings", (KEY, "'x'"), (), 0.0)


def test_what_is_written_is_read(tmp_path):
    path = tmp_path / "kaiku.lock"
    assert attestation.write(path, [TOKENS, OTHER, TOKENS])
    found = attestation.read(path)
    assert list(found) == [OTHER.path, TOKENS.path]
    (tokens,) = found[TOKENS.path]
    assert (tokens.digest, tokens.rule, tokens.params, tokens.made) == ("d1", "encode_tokens", (KEY,), 17.25)
    assert dict(tokens.inputs) == {"a b": "1", "b": "2"} and found[OTHER.path] == [OTHER]
    assert not attestation.write(path, [OTHER, TOKENS])


def test_parameters_that_artefacts_share_stand_there_once(tmp_path):
    path = tmp_path / "kaiku.lock"
    attestation.write(path, [TOKENS, Attestation("x", "d3", "encode_tokens", (KEY,), ())])
    assert path.read_text().count("stage") == 1


def test_lines_of_two_people_in_any_order(tmp_path):
    mine, theirs, both = tmp_path / "mine", tmp_path / "theirs", tmp_path / "both"
    newer = Attestation(TOKENS.path, "d9", TOKENS.rule, TOKENS.params, ())
    attestation.write(mine, [TOKENS, OTHER])
    attestation.write(theirs, [newer])
    both.write_text("".join(reversed(theirs.read_text().splitlines(True))) + mine.read_text())
    found = attestation.read(both)
    assert {entry.digest for entry in found[TOKENS.path]} == {"d1", "d9"} and found[OTHER.path] == [OTHER]


@pytest.mark.parametrize(
    "text",
    ["<<<<<<< HEAD\n", "data/x\td1\trule\tnokey\t{}\t0.0\n", "params\tk\t[1\n", "# kaiku.lock, format 9: of old\n"],
)
def test_damage_is_told_with_its_remedy(tmp_path, text):
    path = tmp_path / "kaiku.lock"
    path.write_text(text)
    with pytest.raises(CorruptFile, match=r"kaiku\.lock"):
        attestation.read(path)


def test_what_is_no_text_is_told_with_its_remedy(tmp_path):
    path = tmp_path / "kaiku.lock"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(CorruptFile, match=r"kaiku\.lock cannot be read .*Take it from git"):
        attestation.read(path)


def test_no_file_attests_nothing(tmp_path):
    assert attestation.read(tmp_path / "kaiku.lock") == {}
