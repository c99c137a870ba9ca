"""A plug-in holds what its kind promises: those of the tree do, and one of a user's own that does not is told so."""

import pytest

from kaiku import plugins
from kaiku.errors import SettingsError
from kaiku.settings import load


@pytest.fixture(autouse=True)
def no_plugins_of_another_test():
    yield
    plugins.use_folders([])


@pytest.mark.parametrize("kind", plugins.PROMISED)
def test_every_plugin_of_the_tree_holds_what_its_kind_promises(kind):
    assert all(plugins.find(kind, name) for name in plugins.known(kind, ("kaiku",)))


@pytest.mark.parametrize(
    ("kind", "config", "missing"),
    [
        ("checks", {"checks": {"bare": {}}}, "FIELDS"),
        ("layouts", {"corpora": {"a": {"layout": "bare", "licence": "own"}}}, "PRECUT, discover"),
    ],
)
def test_a_plugin_that_lacks_what_its_kind_has_is_named(tmp_path, kind, config, missing):
    (tmp_path / kind).mkdir()
    (tmp_path / kind / "bare.py").write_text("class Settings:\n    pass\n")
    with pytest.raises(SettingsError) as caught:
        load({"system": "x", "plugins": [str(tmp_path)], **config})
    assert f"plug-in 'bare' ({tmp_path / kind}/bare.py) has no {missing}. Add it" in str(caught.value)
