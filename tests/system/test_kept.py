"""Values kept as JSON: exact, checked when read, and not kept where nothing can be written."""

import pytest

from boundlab.system.kept import kept

VALUE = {"numbers": [0.1, 1e-300, 3.0, 2**60], "none": None}


def never():
    raise AssertionError("computed again")


def test_a_value_is_computed_once(tmp_path):
    folder = tmp_path / "new" / "folder"
    assert kept(folder, ["a", 1], lambda: VALUE) == VALUE
    assert kept(folder, ["a", 1], never) == VALUE
    assert kept(folder, ["a", 2], lambda: 5) == 5
    assert len(list(folder.iterdir())) == 2


@pytest.mark.parametrize(
    "damage",
    [
        lambda file: file.write_text(""),
        lambda file: file.write_bytes(file.read_bytes()[:-9]),
        lambda file: file.write_text(file.read_text().replace("0.1", "0.2")),
        lambda file: file.write_text("[1]"),
        lambda file: file.write_text('{"value": 3}'),
        lambda file: file.write_bytes(bytes([255, 254])),
    ],
)
def test_a_damaged_file_is_computed_anew(tmp_path, damage):
    kept(tmp_path, "a", lambda: VALUE)
    (file,) = tmp_path.iterdir()
    damage(file)
    assert kept(tmp_path, "a", lambda: {"new": 1}) == {"new": 1}
    assert kept(tmp_path, "a", never) == {"new": 1}


def test_another_values_file_is_not_this_ones(tmp_path):
    kept(tmp_path, "a", lambda: 1)
    (file,) = tmp_path.iterdir()
    content = file.read_bytes()
    kept(tmp_path, "b", lambda: 2)
    (other,) = set(tmp_path.iterdir()) - {file}
    other.write_bytes(content)
    assert kept(tmp_path, "b", lambda: 2) == 2


def test_where_nothing_can_be_written_nothing_is_kept(tmp_path):
    in_the_way = tmp_path / "file"
    in_the_way.write_text("")
    assert kept(in_the_way, "a", lambda: VALUE) == VALUE
    assert kept(in_the_way / "below", "a", lambda: VALUE) == VALUE


def test_a_folder_marked_as_read_only_is_left_alone(tmp_path):
    """By root, too, whom the system would let write."""
    tmp_path.chmod(0o555)
    try:
        assert kept(tmp_path / "statistics", "a", lambda: VALUE) == VALUE
        assert list(tmp_path.iterdir()) == []
    finally:
        tmp_path.chmod(0o755)
