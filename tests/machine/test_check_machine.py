"""What `make check` finds, on machines that are made up: programs on PATH, packages, a hub that answers as told."""

import json
import os
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from kaiku import secrets
from kaiku.errors import KaikuError
from kaiku.machine import Finding, access, files, hardware, sizes, software, worst
from workflow_scripts import check_machine

REPO = Path(__file__).parents[2]
TOKEN = "hf_" + "s3cretLetters" * 3


@pytest.fixture(autouse=True)
def nobody_in_the_environment(monkeypatch):
    for name in ("HF_TOKEN", "WANDB_API_KEY", "HF_ENDPOINT", "HF_HUB_OFFLINE", "CUDA_VISIBLE_DEVICES"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def hub(monkeypatch):
    """A hub on loopback: what it was asked, and the status and headers it answers with."""
    told = {"status": 200, "headers": {}, "asked": []}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            told["asked"].append((self.path, self.headers.get("Authorization")))
            self.send_response(told["status"])
            for name, value in told["headers"].items():
                self.send_header(name, value)
            self.end_headers()

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    told["address"] = f"http://127.0.0.1:{server.server_port}"
    monkeypatch.setenv("HF_ENDPOINT", told["address"])
    yield told
    server.shutdown()
    server.server_close()


def program(folder, name, text):
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


@pytest.fixture
def driver(tmp_path, monkeypatch):
    """Puts an nvidia-smi on PATH that says a text, and a torch that says what it sees."""

    def put(text, torch=("2.13.0", "12.8", ["NVIDIA H100"]), status=0):
        program(tmp_path / "bin", "nvidia-smi", f"cat <<'END'\n{text}\nEND\nexit {status}")
        monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
        monkeypatch.setattr(hardware, "torch", lambda: torch)
        return list(hardware.gpus(*hardware.cards()))

    return put


def statuses(found):
    return [finding.status for finding in found]


H100 = "NVIDIA H100 80GB HBM3, 570.124.06, 81559"


def test_a_card_whose_driver_is_new_enough(driver):
    found = driver(H100)
    assert statuses(found) == ["ok", "ok"]
    assert found[0].what == "NVIDIA H100 80GB HBM3, 85.5 GB, driver 570.124.06"
    assert hardware.cards()[0][0].memory == 81559 << 20


def test_a_driver_too_old_for_the_installed_torch(driver):
    found = driver("Tesla V100, SXM2, 470.57.02, 16160")
    assert statuses(found) == ["ok", "problem"] and found[0].what.startswith("Tesla V100, SXM2, ")
    assert "driver 470.57.02 is too old for torch 2.13.0 (CUDA 12.8), which needs 525.60.13" in found[1].what
    assert "driver" in found[1].remedy
    assert statuses(driver("Tesla V100, 470.57.02, 16160", ("2.0", "11.8", ["V100"]))) == ["ok", "ok"]


def test_a_torch_that_cannot_use_the_cards(driver):
    assert "build without CUDA" in driver(H100, ("2.13.0+cpu", None, []))[-1].what
    found = driver(f"{H100}\n{H100}", ("2.13.0", "12.8", ["NVIDIA H100"]))
    assert statuses(found) == ["ok", "ok", "problem"] and "sees 1 of 2 GPUs" in found[-1].what


def test_cards_hidden_on_purpose_are_no_problem(driver, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    assert statuses(driver(f"{H100}\n{H100}")) == ["ok", "ok", "ok"]


def test_no_card_is_a_warning(driver, monkeypatch):
    assert "No devices were found" in driver("No devices were found", ("2.13.0", None, []), status=6)[0].what
    monkeypatch.setenv("PATH", "/nowhere")
    found = list(hardware.gpus(*hardware.cards()))
    assert statuses(found) == ["warning"] and "no nvidia-smi on PATH" in found[0].what and found[0].remedy


def test_a_torch_that_does_not_load_is_said(monkeypatch):
    monkeypatch.setattr(hardware, "ASK_TORCH", "raise ImportError('libcudnn.so.9: cannot open')")
    found = list(hardware.gpus([], "none"))
    assert statuses(found) == ["problem"] and "libcudnn.so.9" in found[0].what


def test_torch_itself_is_asked_in_a_process_of_its_own():
    version, cuda, _ = hardware.torch()
    assert version.startswith("2.") and cuda != "?"


def distribution(folder, name, version, text=""):
    (folder / name).mkdir()
    (folder / name / "__init__.py").write_text(text)
    information = folder / f"{name}-{version}.dist-info"
    information.mkdir()
    (information / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")


def test_torchaudio_is_found_by_name_without_being_imported(tmp_path, monkeypatch):
    assert list(software.torchaudio()) == [], "it is not to be installed here"
    distribution(tmp_path, "torchaudio", "2.9.0", "raise OSError('undefined symbol')")
    monkeypatch.syspath_prepend(tmp_path)
    (found,) = software.torchaudio()
    assert found.status == "problem" and "torchaudio 2.9.0" in found.what and "import transformers" in found.what
    assert "pip uninstall torchaudio" in found.remedy and "torchaudio" not in sys.modules


def test_torchaudio_of_the_same_build_is_a_warning(tmp_path, monkeypatch):
    distribution(tmp_path, "torchaudio", software.installed("torch"))
    monkeypatch.syspath_prepend(tmp_path)
    assert statuses(software.torchaudio()) == ["warning"]


def test_packages_are_compared_with_the_pins(tmp_path):
    lock = tmp_path / "requirements.lock"
    numpy, torch = software.installed("numpy"), software.installed("torch").partition("+")[0]
    lock.write_text(f"numpy=={numpy} \\\n    --hash=sha256:00\ntorch=={torch}\n# no-pin==1\n")
    wanted = software.pins(lock)
    assert wanted == {"numpy": numpy, "torch": torch}
    assert statuses(software.packages(wanted)) == ["ok"]
    found = list(software.packages({"numpy": "0.1", "no-such-package": "1", "torch": torch}))
    assert statuses(found) == ["problem", "warning"]
    assert "1 of 3 pinned packages are not installed: no-such-package" in found[0].what
    assert f"numpy {numpy} (pinned: 0.1)" in found[1].what


def test_an_old_python_and_a_foreign_snakemake(monkeypatch):
    assert software.python((3, 10, 4)).status == "problem" and software.python((3, 11, 0)).status == "ok"
    for version, status in {
        "8.30.0": "problem",
        "9.1.9": "problem",
        "9.2.0": "ok",
        "10.0": "problem",
        None: "problem",
    }.items():
        monkeypatch.setattr(software, "installed", lambda name, version=version: version)
        assert software.snakemake().status == status, version


def test_disks_and_memory(tmp_path, monkeypatch):
    usage = type("Usage", (), {})
    for free, status in {10**8: "problem", 5 * 10**9: "warning", 10**12: "ok"}.items():
        monkeypatch.setattr("shutil.disk_usage", lambda path, free=free: type("Usage", (), {"free": free}))
        found = list(hardware.disks(tmp_path))
        assert found[0].status == status and bool(found[0].remedy) == (status != "ok")
    assert usage
    for total, available, status in (
        (10**9, 10**9, "problem"),
        (10**10, 10**9, "warning"),
        (64 * 10**9, 32 * 10**9, "ok"),
    ):
        figures = type("Memory", (), {"total": total, "available": available})
        monkeypatch.setattr("psutil.virtual_memory", lambda figures=figures: figures)
        monkeypatch.setattr(hardware, "_number", lambda path: None)
        assert hardware.memory().status == status


def test_what_is_missing_is_told_where_a_package_is_missing(tmp_path):
    blocked = "import sys; sys.modules |= dict.fromkeys(('psutil', 'pydantic', 'yaml', 'numpy', 'pyarrow'));"
    code = f"{blocked} from workflow_scripts import check_machine as c; sys.exit(c.main(['--offline', '--json']))"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(REPO)},
        capture_output=True,
        text=True,
    )
    assert "cannot be told without psutil" in done.stdout, done.stderr


def test_more_threads_than_cores(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "4096")
    assert hardware.processors().status == "warning"
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    assert hardware.processors().status == "ok"


def test_what_fits_into_a_card_grows_with_it():
    of = sizes.shape("openaudio-s1-mini", sizes.OPENAUDIO_S1_MINI)
    assert of.parameters == pytest.approx(860.17e6, rel=1e-3) and 8 * of.adapted == pytest.approx(8.07e6, rel=1e-3)
    fits = [sizes.fit(of, gigabytes * 10**9) for gigabytes in (2, 8, 12, 24, 80)]
    assert fits[0] is None and fits[1].checkpointing and not fits[-1].checkpointing
    assert sizes.fit(of, 10**12).batch == sizes.LARGEST_BATCH
    batches = [fit.batch for fit in fits[2:]]
    assert batches == sorted(batches) and fits[1].rank <= fits[-1].rank
    for fit, gigabytes in zip(fits[1:], (8, 12, 24, 80)):
        assert fit.bytes <= (1 - sizes.MARGIN) * gigabytes * 10**9
    (none,), (some,) = sizes.findings(2 * 10**9, None), sizes.findings(24 * 10**9, None)
    assert none.status == "warning" and "estimated" in none.what
    assert "batch_size: " in some.what and "estimated" in some.what


@pytest.mark.parametrize(
    ("text", "frames", "changed", "megabytes"),
    [
        (32, 96, {}, 789.5),
        (100, 156, {}, 1415.7),
        (32, 96, {"n_layer": 14}, 593.6),
        (32, 96, {"n_fast_layer": 2}, 637.3),
        (32, 96, {"vocab_size": 77_988}, 758.4),
    ],
)
def test_what_autograd_keeps_is_what_was_counted(text, frames, changed, megabytes):
    """Counted by saved_tensors_hooks: random weights of these sizes, an adapter of rank 8, one clip."""
    of = sizes.shape("counted", sizes.OPENAUDIO_S1_MINI | changed)
    assert sizes.kept(of, text, frames) == pytest.approx(megabytes * 1e6, rel=0.03)
    assert sizes.kept(of, text, frames, checkpointing=True) < megabytes * 1e6 / 2


def test_a_shape_counts_what_a_model_of_its_config_has(tmp_path):
    from kaiku.families import fish

    family = fish.load(fish.Settings())
    model = family.load_base(fish.tiny(tmp_path))
    config = json.loads((tmp_path / "config.json").read_text())
    matrices = sum(p.numel() for p in model.parameters() if p.dim() == 2)
    assert sizes.shape("tiny", config).parameters == matrices


def test_the_file_system_of_a_workspace(tmp_path):
    found = list(files.findings(tmp_path))
    assert "problem" not in statuses(found) and not list(tmp_path.iterdir())
    assert "hard links, locks (flock), renaming over a file" in found[0].what


def test_a_file_system_without_links_or_locks_is_said(tmp_path, monkeypatch):
    def refuse(*_):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr("os.link", refuse)
    monkeypatch.setattr("fcntl.flock", lambda *_: None)
    found = list(files.findings(tmp_path))
    problems = [finding.what for finding in found if finding.status == "problem"]
    assert len(problems) == 2 and "hard links: Operation not permitted" in problems[0]
    assert "locks (flock): two hold one lock" in problems[1]


def test_a_workspace_that_cannot_be_written(tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("tempfile.TemporaryDirectory", refuse)
    assert statuses(files.findings(tmp_path)) == ["problem"]


def test_clocks():
    assert files.clock(2e9, 2e9 + 1).status == "ok"
    assert files.clock(2e9, 2e9 + 60).status == "warning"
    assert files.clock(1e6, 1e6).status == "problem"


def test_another_encoding_is_a_problem(monkeypatch):
    assert files.language().status == "ok"
    monkeypatch.setattr("locale.getpreferredencoding", lambda _: "ANSI_X3.4-1968")
    assert files.language().status == "problem"


def test_secrets_are_told_of_and_never_told(tmp_path, hub, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    monkeypatch.setenv("WANDB_API_KEY", "two words")
    found = list(access.findings(tmp_path))
    assert [f.status for f in found if f.topic == "secrets"] == ["ok", "warning"]
    assert f"({len(TOKEN)} characters)" in found[0].what
    assert found[-1].status == "ok" and found[-1].what.endswith("answers and takes HF_TOKEN")
    assert hub["asked"] == [("/api/whoami-v2", f"Bearer {TOKEN}")]
    assert TOKEN not in repr(found) and "two words" not in repr(found)


def test_a_token_that_the_hub_refuses_is_a_warning(tmp_path, hub, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    hub["status"] = 401
    assert "refuses HF_TOKEN" in access.hub(TOKEN).what
    assert access.hub("").what.endswith("answers"), "without a token, 401 is an answer"
    hub["status"] = 503
    assert access.hub("").status == "warning"


def test_a_token_follows_no_redirect(hub):
    hub["status"], hub["headers"] = 302, {"Location": f"{hub['address']}/elsewhere"}
    access.hub(TOKEN)
    assert [path for path, _ in hub["asked"]] == ["/api/whoami-v2"]


def test_a_hub_that_is_not_there_fails_nothing(monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    found = access.hub(TOKEN)
    assert found.status == "warning" and "http://127.0.0.1:9 is not reachable" in found.what
    monkeypatch.setenv("HF_ENDPOINT", "http://user:pass@:x")
    assert access.hub("").status == "warning" and "pass" not in access.hub("").what
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert access.hub(TOKEN).status == "ok"


def test_a_token_is_not_sent_in_the_clear(monkeypatch):
    sent = []
    monkeypatch.setenv("HF_ENDPOINT", "http://hub.invalid")

    class Opener:
        def open(self, request, timeout):
            sent.append(request.has_header("Authorization"))
            raise OSError("no such host")

    monkeypatch.setattr("urllib.request.build_opener", lambda *_: Opener())
    access.hub(TOKEN)
    assert sent == [False]


ENV = """\
# my secrets
export HF_TOKEN=hf_one
WANDB_API_KEY = "two words" # why
EMPTY=
REMARK= # where to get one
QUOTED='a "b" # c'
"""


def test_a_file_of_secrets(tmp_path, monkeypatch):
    file = tmp_path / ".env"
    assert secrets.get("HF_TOKEN", file) == "" and secrets.read(file) == {}
    file.write_text(ENV)
    assert secrets.read(file) == {
        "HF_TOKEN": "hf_one",
        "WANDB_API_KEY": "two words",
        "EMPTY": "",
        "REMARK": "",
        "QUOTED": 'a "b" # c',
    }
    assert secrets.get("HF_TOKEN", file) == "hf_one"
    monkeypatch.setenv("HF_TOKEN", "hf_two")
    assert secrets.get("HF_TOKEN", file) == "hf_two"
    file.write_text("HF_TOKEN hf_secret\n")
    with pytest.raises(KaikuError, match=r"line 1") as caught:
        secrets.read(file)
    assert "hf_secret" not in str(caught.value)


def test_a_file_of_secrets_that_others_may_read_or_git_keeps(tmp_path):
    file = tmp_path / ".env"
    file.write_text(f"HF_TOKEN={TOKEN}\n")
    file.chmod(0o644)
    found = list(access.findings(tmp_path, offline=True))
    assert statuses(found) == ["warning", "ok", "ok"] and "chmod 600" in found[0].remedy
    assert "in .env" in found[2].what and TOKEN not in repr(found)
    file.chmod(0o600)
    os.system(f"cd {tmp_path} && git init -q && git add -f .env")
    assert "problem" in statuses(access.findings(tmp_path, offline=True))
    file.write_text("no secret\n")
    assert "problem" in statuses(access.findings(tmp_path, offline=True))


def test_the_program_says_it_all_and_ends_by_the_worst(tmp_path, hub, monkeypatch, capsys):
    assert check_machine.main(["--workspace", str(tmp_path), "--json"]) in (0, 1)
    told = json.loads(capsys.readouterr().out)
    topics = {finding["topic"] for finding in told["findings"]}
    assert {"software", "processor", "memory", "disk", "gpu", "files", "clock", "locale", "hub"} <= topics
    assert all(f["remedy"] for f in told["findings"] if f["status"] != "ok")
    for status, code in (("ok", 0), ("warning", 0), ("problem", 1)):
        monkeypatch.setattr(check_machine, "findings", lambda *_, status=status, **__: [Finding("x", "y", status, "z")])
        assert check_machine.main(["--workspace", str(tmp_path)]) == code
        assert "-> z" in capsys.readouterr().out
    assert worst([]) == "ok"
    assert check_machine.main(["--workspace", str(tmp_path / "nowhere")]) == 1
