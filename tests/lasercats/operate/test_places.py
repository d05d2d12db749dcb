"""Which log a project has is said by a URL in its `lasercats.toml`."""

import re
from pathlib import Path

import pytest

from lasercats.core.errors import LaserCatsError
from lasercats.operate import begin, plugins
from lasercats.operate.places import place
from lasercats.operate.project import Project


@pytest.mark.parametrize(
    ("url", "fact"),
    [
        ("log.db", "is no URL of a log"),
        ("", "is no URL of a log"),
        ("mongodb://h/d", "no log store is called 'mongodb'"),
        ("sqlite:log.db", "one in SQLite lies in .lasercats; give sqlite:.lasercats/NAME.db"),
        ("sqlite:../.lasercats/log.db", "one in SQLite lies in .lasercats"),
        ("sqlite:/tmp/log.db", "one in SQLite lies in .lasercats"),
        ("sqlite:.lasercats/log", "one in SQLite lies in .lasercats"),
    ],
)
def test_a_url_that_names_no_log_is_told(tmp_path: Path, url: str, fact: str) -> None:
    """What is no URL, of no store, or of a place where no log may be, is said with what to give."""
    with pytest.raises(LaserCatsError, match=re.escape(fact)) as caught:
        place(url, tmp_path)
    assert "\n" not in str(caught.value)


def test_log_must_be_text(tmp_path: Path) -> None:
    """A `log` that is no text is told, with the file that it stands in."""
    (tmp_path / "lasercats.toml").write_text("log = 3\n[environments.default.machines]\n")
    with pytest.raises(LaserCatsError, match=r"lasercats\.toml is malformed: `log` must be a URL"):
        Project(tmp_path)


def test_a_project_is_made_with_the_log_that_is_named(tmp_path: Path) -> None:
    """`init` writes the URL into the file, makes that log, and every environment has one beside it."""
    assert begin.init(tmp_path, log="sqlite:.lasercats/team.db") == [
        ".lasercats/team.db",
        ".lasercats/.gitignore",
        "lasercats.toml",
    ]
    with (tmp_path / "lasercats.toml").open("a") as file:
        file.write("\n[environments.test.machines]\n")
    for environment in ("default", "test"):
        project = Project(tmp_path, environment)
        assert project.log.head() == 0
        project.close()
    assert {*place("sqlite:.lasercats/team.db", tmp_path).environments()} == {"", "test"}
    assert not (tmp_path / ".lasercats/log.db").exists()


def test_a_project_has_one_log(tmp_path: Path) -> None:
    """`init` with another URL than the project has changes nothing, and says where it stands."""
    begin.init(tmp_path)
    with pytest.raises(LaserCatsError, match=r"has the log sqlite:\.lasercats/log\.db; change `log` in its"):
        begin.init(tmp_path, log="sqlite:.lasercats/team.db")
    assert not (tmp_path / ".lasercats/team.db").exists()


def test_an_environment_is_not_called_as_the_log(tmp_path: Path) -> None:
    """An environment whose log would be that of the default one has none."""
    with pytest.raises(LaserCatsError, match="would be that of the default one"):
        place("sqlite:.lasercats/team.db", tmp_path, "Team")


def test_a_strangers_project_calls_no_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The server that somebody else's file names is not called, not even to look."""

    class Server:
        name, by_file = "a server", False

    (tmp_path / "lasercats.toml").write_text('log = "far://away"\n[environments.default.machines]\n')
    monkeypatch.setattr(plugins, "load", lambda *_: lambda *_: Server())
    monkeypatch.setattr("lasercats.operate.trust.closed", lambda _: "it is theirs")
    with pytest.raises(LaserCatsError, match=r"it is theirs, so the project in .* can only be looked at"):
        _ = Project(tmp_path, looking=True).log
