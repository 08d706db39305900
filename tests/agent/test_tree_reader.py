"""Reading and searching a work tree: whatever lies there, an answer is short, comes soon, and says what it left out."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from hive.agent import line_search, outputs, reading, shell
from hive.agent.errors import ToolError
from hive.agent.outputs import OutputFolder
from hive.agent.pictures import Picture
from hive.agent.tree_reader import TreeReader
from tests.agent.conftest import GIT

PNG = b"\x89PNG\r\n\x1a\n" + bytes(20)


@pytest.fixture
def reader(tmp_path: Path) -> TreeReader:
    """A reader of a small repository."""
    tree = tmp_path / "tree"
    (tree / "src").mkdir(parents=True)
    (tree / "src" / "a.py").write_text("import os\r\nprint('x.y')\r\n")
    (tree / "notes.txt").write_text("x.y\nxzy\n")
    (tree / ".gitignore").write_text("built/\n")
    (tree / "built").mkdir()
    (tree / "built" / "b.py").write_text("import os\n")
    subprocess.run(["git", "init", "-q", tree], env=GIT, check=True)
    subprocess.run(["git", "add", "src"], cwd=tree, env=GIT, check=True)

    def listed(path: str) -> bytes:
        words = ["git", "ls-files", "-zco", "--exclude-standard", "--", path]
        return subprocess.check_output(words, cwd=tree, env=GIT)

    return TreeReader(tree, listed, OutputFolder(tmp_path))


class TestRead:
    """read: a page, with numbers."""

    def test_whole(self, reader: TreeReader) -> None:
        """A short file is read with the numbers of its lines, and its end is said."""
        assert reader.read("notes.txt") == "     1\tx.y\n     2\txzy\n[end of notes.txt]"
        assert reader.read("src/a.py", 2) == "     2\tprint('x.y')\n[end of src/a.py]"

    def test_pages(self, reader: TreeReader) -> None:
        """A page has as many lines as are asked for, and says how to go on."""
        (reader.tree / "f").write_text("".join(f"{number}\n" for number in range(1, 1001)))
        assert reader.read("f", 10, 2) == "    10\t10\n    11\t11\n[there is more: go on with line 12]"
        assert reader.read("f").endswith("[there is more: go on with line 401]")
        (reader.tree / "f").write_text(f"{'x' * 900}\n" * 100)
        page = reader.read("f")
        assert len(page) <= reading.PAGE + 100
        assert page.endswith("[there is more: go on with line 20]")

    def test_long_line(self, reader: TreeReader) -> None:
        """A long line is cut, however long it is, and the next one is found."""
        (reader.tree / "f").write_bytes(b"x" * 3_000_000 + b"\nnext\n")
        first, second, _ = reader.read("f").split("\n")
        assert first == f"     1\t{'x' * 1000} … [a line of 3000001 bytes]"
        assert second == "     2\tnext"

    def test_enormous(self, reader: TreeReader) -> None:
        """No more than a part of an enormous file is ever read."""
        with (reader.tree / "f").open("wb") as file:
            file.write(b"x" * 10_000)
            file.truncate(1 << 40)
        with pytest.raises(ToolError, match="not within its first 64 MiB"):
            reader.read("f", 2)

    @pytest.mark.parametrize(
        ("path", "words"),
        [
            ("nothing", "There is no file nothing"),
            ("binary", r"no text: 4 bytes that begin with 00 01 02 03"),
            ("../tree/notes.txt", "outside"),
            ("/etc/passwd", "outside"),
            ("link", "outside"),
            (".git/config", "belongs to git"),
            ("fifo", "no file that can be read"),
            ("picture.png", r"a picture \(png, 28 bytes\), and you cannot look at pictures"),
        ],
    )
    def test_refused(self, reader: TreeReader, path: str, words: str) -> None:
        """What is no text of the work tree is refused in words."""
        (reader.tree / "binary").write_bytes(bytes(range(4)))
        (reader.tree / "picture.png").write_bytes(PNG)
        (reader.tree / "link").symlink_to("/etc/passwd")
        os.mkfifo(reader.tree / "fifo")
        with pytest.raises(ToolError, match=words):
            reader.read(path)

    def test_past_the_end(self, reader: TreeReader) -> None:
        """A line that is not there is said, an empty file too."""
        (reader.tree / "empty").touch()
        assert reader.read("empty") == "[empty is empty]"
        with pytest.raises(ToolError, match="has no line 9: it has 2"):
            reader.read("notes.txt", 9)

    def test_folder(self, reader: TreeReader) -> None:
        """A folder is listed without git's own, and no name can pretend to be two lines."""
        (reader.tree / "src" / "a\nb").touch()
        (reader.tree / "src" / "l").symlink_to("/etc")
        assert reader.read(".") == ".gitignore\nbuilt/\nnotes.txt\nsrc/"
        assert reader.read("src") == "'a\\nb'\na.py\nl (a link)"
        for number in range(400):
            (reader.tree / "built" / f"{number}").touch()
        assert reader.read("built").endswith("[101 more names]")

    def test_picture(self, reader: TreeReader) -> None:
        """A model that can look at pictures is given one, known by its bytes and not by its name; a large one is refused."""
        seeing = TreeReader(reader.tree, reader.listed, reader.outputs, pictures=True)
        (reader.tree / "p.txt").write_bytes(PNG)
        picture = seeing.read("p.txt")
        assert isinstance(picture, Picture)
        assert picture.blocks[1]["source"]["media_type"] == "image/png"
        (reader.tree / "p.txt").write_bytes(PNG + bytes(2_000_000))
        with pytest.raises(ToolError, match="too large"):
            seeing.read("p.txt")


class TestSearch:
    """search: lines, by a pattern or as they stand."""

    def test_pattern_and_text(self, reader: TreeReader) -> None:
        """A pattern is Python's, a text is what it is; what git ignores is not searched."""
        assert reader.search(pattern="^x.y$") == "notes.txt:1: x.y\nnotes.txt:2: xzy"
        assert reader.search(text="x.y") == "notes.txt:1: x.y\nsrc/a.py:2: print('x.y')"
        assert reader.search(pattern=r"import\s+os") == "src/a.py:1: import os"

    def test_where(self, reader: TreeReader) -> None:
        """A search keeps to a folder, to a file, or to names of files; an ignored file is searched when it is named."""
        assert reader.search(text="x.y", path="src") == "src/a.py:2: print('x.y')"
        assert reader.search(text="import", path="built/b.py") == "built/b.py:1: import os"
        assert reader.search(text="x.y", files="*.py") == "src/a.py:2: print('x.y')"
        assert reader.search(text="x.y", files="src/*") == "src/a.py:2: print('x.y')"
        assert reader.search(text="nowhere") == (
            "Nothing was found in 3 files. Not searched: what git ignores, and what is no text."
        )

    @pytest.mark.parametrize(
        ("asked", "words"),
        [
            ({}, "a pattern or a text"),
            ({"text": "a", "pattern": "b"}, "a pattern or a text"),
            ({"pattern": "("}, "no regular expression of Python"),
            ({"text": "a", "path": ".."}, "outside"),
            ({"text": "a", "path": "none"}, "no file or folder none"),
        ],
    )
    def test_mistakes(self, reader: TreeReader, asked: dict[str, str], words: str) -> None:
        """A search that cannot be made is refused in words."""
        with pytest.raises(ToolError, match=words):
            reader.search(**asked)

    def test_bounds(self, reader: TreeReader) -> None:
        """Of many matches and long lines some are shown, and the answer says that there is more."""
        (reader.tree / "f").write_text("y" * 1000 + "needle" + "z" * 1000 + "\n" + "needle\n" * 1000)
        for number in range(10):
            (reader.tree / f"g{number}").write_text("needle\n" * 20)
        lines = reader.search(text="needle").split("\n")
        assert lines[0] == f"f:1: … {'y' * 80}needle{'z' * 214} …"
        assert lines[30] == "f:31: [more of this file is not shown]"
        assert len(lines) == line_search.MATCHES + 1
        assert lines[-1] == "[there is more: search for less, or in fewer files]"

    def test_large_and_strange_files(self, reader: TreeReader) -> None:
        """Links are not followed, binary files not searched, large ones named, and a name stays one line."""
        (reader.tree / "l").symlink_to("/etc/passwd")
        (reader.tree / "b").write_bytes(b"root\0")
        (reader.tree / "two\nlines").write_text("root\n")
        with (reader.tree / "huge").open("wb") as file:
            file.write(b"x" * 10_000)
            file.truncate(1 << 40)
        os.mkfifo(reader.tree / "fifo")
        module = f"160000,{'1' * 40},module"
        subprocess.run(["git", "update-index", "--add", "--cacheinfo", module], cwd=reader.tree, env=GIT, check=True)
        (reader.tree / "module").mkdir()
        assert reader.search(text="root") == "'two\\nlines':1: root\n[too large to be searched: huge]"

    def test_a_pattern_that_takes_for_ever(self, reader: TreeReader, tmp_path: Path) -> None:
        """A search is a process that is killed when a pattern takes too long; its question cannot be one for a shell."""
        asked = {"pattern": "(a+)+$", "files": ""}
        (tmp_path / "a").write_text("a" * 40 + "b")
        code = "import resource as r, sys; sys.path.insert(0, {!r}); from hive.agent import line_search as s; s.CPU = 1; s.main()"
        root = str(Path(__file__).parent.parent.parent)
        done = subprocess.run(
            ["python3", "-I", "-S", "-c", code.format(root)],
            input=b'{"pattern": "%s", "files": ""}\na\0' % asked["pattern"].encode(),
            cwd=tmp_path,
            capture_output=True,
        )
        assert done.returncode < 0
        assert not done.stdout


class TestOutputs:
    """Long outputs: in files, as many as there is room for."""

    def test_page_of_an_output(self, reader: TreeReader) -> None:
        """All of a long output can be read and searched under the name that the result gives."""
        done = shell.run("seq 100000", reader.tree, seconds=60, outputs=reader.outputs)
        path = done.output.partition("all of it is in ")[2].split()[0]
        assert (Path(path)).read_text() == "".join(f"{number}\n" for number in range(1, 100001))
        assert reader.read(path, 50_000, 1) == " 50000\t50000\n[there is more: go on with line 50001]"
        assert reader.search(text="99999", path=path) == f"{path}:99999: 99999"
        assert not shell.run("seq 10", reader.tree, seconds=60, outputs=reader.outputs).output.endswith(".")
        assert [path.name for path in reader.outputs.path.iterdir()] == ["1"]

    def test_bounds(self, reader: TreeReader) -> None:
        """Of an endless output begin and end are kept, and of many outputs the newest."""
        done = shell.run(
            "echo begin; yes | head -c 30000000; echo end", reader.tree, seconds=60, outputs=reader.outputs
        )
        path = Path(done.output.partition("all of it is in ")[2].split()[0])
        kept = path.read_bytes()
        assert kept.startswith(b"begin\ny\n")
        assert kept.endswith(b"y\nend\n")
        assert b"bytes were not kept" in kept
        assert len(kept) < outputs.MAX_HEAD + outputs.MAX_TAIL + (1 << 17)
        for number in range(2, 30):
            (reader.outputs.path / str(number)).touch()
        reader.outputs.prune()
        names = sorted(int(path.name) for path in reader.outputs.path.iterdir())
        assert names == list(range(10, 30))

    @pytest.mark.parametrize("path", ["{}/../tree/notes.txt", "{}/link", "{}/x", "{}", "{}/1/2"])
    def test_nothing_else(self, reader: TreeReader, path: str) -> None:
        """Nothing but a file of that folder is opened by its path."""
        (reader.outputs.path / "link").symlink_to("/etc/passwd")
        (reader.outputs.path / "3").symlink_to("/etc/passwd")
        with pytest.raises(ToolError):
            reader.read(path.format(reader.outputs.path))
        with pytest.raises(ToolError):
            reader.read(str(reader.outputs.path / "3"))

    def test_full_disk(self, reader: TreeReader) -> None:
        """Where an output cannot be kept, its result says so, and is the same otherwise."""
        reader.outputs.path.rmdir()
        done = shell.run("seq 100000", reader.tree, seconds=60, outputs=reader.outputs)
        assert done.is_good
        assert "bytes left out, and not kept: No such file or directory …" in done.output
