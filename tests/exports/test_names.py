"""Names of files that every file system takes."""

from kaiku.exports._names import Names, safe


def test_names_are_safe_everywhere_and_stay_apart():
    assert safe('a:b?*"<>|/\\.c') == "a%3Ab%3F%2A%22%3C%3E%7C%2F%5C%2Ec" and safe("päivä-1~x@2") == "päivä-1~x@2"
    assert (safe("CON"), safe("com1"), safe(""), safe("a ")) == ("CON_", "com1_", "_", "a%20")
    assert len(safe("ä" * 300).encode()) <= 180 and safe("ä" * 300) != safe("ä" * 301)
    names = Names()
    assert [names.of(n, wanted) for n, wanted in enumerate(["Aino", "aino", "AINO"])] == ["Aino", "aino--2", "AINO--3"]
    assert names.of(1, "aino") == "aino--2"
