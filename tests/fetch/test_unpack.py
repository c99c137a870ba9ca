"""Archives that are odd, damaged or hostile, and what is left of them: nothing, or all."""

import errno
import io
import os
import tarfile
import zipfile
from pathlib import Path

import pytest
from loopback import files_in, get, link, nothing_at, tar_of

from kaiku.errors import CorruptFile, KaikuError
from kaiku.fetch import Source
from kaiku.fetch.unpack import lift_only_folder, unpack


def zip_of(members):
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as zipped:
        for name, content in members.items():
            zipped.writestr(name, content)
    return data.getvalue()


@pytest.fixture
def out(tmp_path):
    """Unpacks bytes into a folder, by its path from here as a fetch does; gives the folder."""

    def call(data):
        Path("archive").write_bytes(data)
        Path("out").mkdir(exist_ok=True)
        unpack(Path("archive"), Path("out"), called="x")
        return Path("out")

    return call


@pytest.mark.parametrize("mode", ["w", "w:gz"])
def test_a_tar_that_ends_with_a_zip_is_a_tar(out, mode):
    members = {"a.wav": b"one", "texts.zip": zip_of({"inner": b"text"})}
    assert files_in(out(tar_of(members, mode))) == members


def test_a_link_to_nothing_inside_is_let_be(out):
    folder = out(tar_of({"d/a.wav": b"one", "d/b.wav": link("d/b.wav", "gone.wav")}))
    assert files_in(folder) == {"d/a.wav": b"one"} and os.readlink(folder / "d/b.wav") == "gone.wav"


def test_a_second_archive_does_not_write_through_links_of_the_first(server):
    server.files |= {"/x": tar_of({"a": link("a", "b")}), "/zip": zip_of({"a": b"x"})}
    server.files["/tar"] = tar_of({"a/evil": b"x"})
    for second in ("/tar", "/zip"):
        with pytest.raises(KaikuError, match=f"{second}: member 'a.*' is refused, since its path goes through a link"):
            get(Source(url=f"{server.url}/x", also=[{"url": server.url + second}]))
        assert nothing_at()


def test_a_link_below_a_path_too_long_for_tarfile_s_filter_is_refused(out, tmp_path, monkeypatch):
    """Its `realpath` takes what is too long to be looked at for no link (CVE-2025-4517)."""
    near = tmp_path / ("n" * 250) / ("n" * 250)  # paths from here can be looked at, whole ones are too long
    near.mkdir(parents=True)
    monkeypatch.chdir(near)
    folders, names = ["d" * 247] * 15, "abcdefghijklmno"
    steps = {name: link("/".join([*folders[:n], name]), folders[n]) for n, name in enumerate(names)}
    up = link("/".join([*folders, "up"]), "../" * len(folders))
    members = {"/".join([*folders, "f"]): b"x", **steps, "up": up, "out": link("out", f"{'/'.join(names)}/up/../evil")}
    with pytest.raises(KaikuError, match="member 'out' is refused, since"):
        out(tar_of(members))


def test_a_link_that_leads_out_once_the_only_folder_is_lifted_is_refused(out):
    folder = out(tar_of({"m/config.json": b"{}", "m/a": link("m/a", "config.json")}))
    lift_only_folder(folder)
    assert files_in(folder) == {"config.json": b"{}", "a": b"{}"}
    (folder / "a").unlink()
    (folder / "config.json").unlink()
    out(tar_of({"m/config.json": b"{}", "m/a": link("m/a", "../m/config.json")}))
    with pytest.raises(KaikuError, match="base m: member 'a' is refused, since it is a link that leads out"):
        lift_only_folder(folder, called="base m")


DAMAGED = {
    "hard link to no member": tar_of({"a": link("a", "gone", tarfile.LNKTYPE)}),
    "file and folder, tar": tar_of({"a": b"x", "a/b": b"x"}),
    "file and folder, zip": zip_of({"a": b"x", "a/b": b"x"}),
    "long name, tar": tar_of({"a" * 300: b"x"}),
    "long name, zip": zip_of({"a" * 300: b"x"}),
    "no name": tar_of({"": b"x"}),
    "name that is no text": zip_of({"\u00e4": b"x"}).replace("\u00e4".encode(), b"\xff\xff"),
}


@pytest.mark.parametrize("data", DAMAGED.values(), ids=DAMAGED.keys())
def test_an_archive_whose_members_cannot_be_is_damaged(out, data):
    with pytest.raises(CorruptFile, match=r"x cannot be unpacked: .*damaged at its source"):
        out(data)


def test_a_disk_that_refuses_is_not_the_archive_s_fault(out, monkeypatch):
    def refuse(*args, **kwargs):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(tarfile.TarFile, "extract", refuse)
    with pytest.raises(OSError, match="Input/output error"):
        out(tar_of({"a": b"x"}))
