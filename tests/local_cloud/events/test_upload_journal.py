"""The journal of committed blobs: how it is written inside Node and read from Python."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from local_cloud.events.journal import Journal, Position

JOURNAL_CJS = Path(__file__).parents[3] / "local_cloud/events/journal.cjs"

# A server that accepts everything, and a client that puts blobs one after the other.
PUTS = """
const http = require("http");
const server = http.createServer((q, a) => { q.resume(); a.setHeader("etag", '"0x1"'); a.statusCode = 201; a.end(); });
server.listen(0, "127.0.0.1", () => {
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  let left = Number(process.argv[1]);
  const put = () => {
    if (left-- === 0) { agent.destroy(); server.close(); return; }
    const headers = { "x-ms-blob-type": "BlockBlob", "content-length": 0 };
    const path = "/devstoreaccount1/input/" + "x".repeat(900) + left;
    const q = http.request({ port: server.address().port, method: "PUT", path, headers, agent }, (a) => {
      a.resume(); a.on("end", put);
    });
    q.end();
  };
  put();
});
"""


def line(blob="a.h5", sequence=1):
    fields = {"sequence": sequence, "time": "2026-01-01T00:00:00.000Z", "api": "PutBlob", "etag": '"0x1"'}
    fields |= {"path": f"/devstoreaccount1/input/{blob}", "blob_type": "BlockBlob", "content_type": "x/y"}
    return json.dumps({**fields, "content_length": 1, "client_request_id": "", "request_id": ""}) + "\n"


def names(found):
    return [commit.blob if commit else None for _, commit in found]


def test_only_whole_lines_are_read(tmp_path):
    """A line that is being written is read when it is complete, and not twice."""
    file = tmp_path / "1.jsonl"
    file.write_text(line("a") + line("b")[:20])
    journal = Journal(tmp_path)
    assert names(journal.read()) == ["a"]
    assert names(journal.read()) == []
    with file.open("a") as writer:
        writer.write(line("b")[20:])
    assert names(journal.read()) == ["b"]


def test_a_reader_goes_on_where_the_last_was_done(tmp_path):
    """What was read but not done is read again by the next reader; what was done is not."""
    (tmp_path / "1.jsonl").write_text(line("a") + line("b") + line("c"))
    first = Journal(tmp_path)
    found = first.read()
    first.done(found[0][0])
    assert names(Journal(tmp_path).read()) == ["b", "c"]


def test_files_are_read_by_age_and_deleted_behind_the_reader(tmp_path):
    """A finished file goes once a record of a younger one is done; half a line at its end is left out."""
    (tmp_path / "2.jsonl").write_text(line("b"))
    (tmp_path / "1.jsonl").write_text(line("a") + line("lost")[:30])
    journal = Journal(tmp_path)
    found = journal.read()
    assert names(found) == ["a", "b"]
    journal.done(found[0][0])
    assert (tmp_path / "1.jsonl").exists()
    journal.done(found[1][0])
    assert not (tmp_path / "1.jsonl").exists()
    assert names(Journal(tmp_path).read()) == []


def test_a_file_larger_than_one_look_is_read_in_pieces(tmp_path):
    """Nothing is skipped or doubled when more has gathered than is read at once."""
    count = 6000
    (tmp_path / "1.jsonl").write_text("".join(line(str(n)) for n in range(count)))
    (tmp_path / "2.jsonl").write_text(line("last"))
    journal = Journal(tmp_path)
    found, looks = [], 0
    while more := journal.read():
        found += names(more)
        looks += 1
    assert found == [*map(str, range(count)), "last"]
    assert looks > 1


@pytest.mark.parametrize("bad", ["no json\n", '{"path": "/account/only"}\n', "[]\n"])
def test_a_line_without_meaning_is_passed_over(tmp_path, bad):
    """One bad line does not stop the events behind it."""
    (tmp_path / "1.jsonl").write_text(bad + line("a"))
    assert names(Journal(tmp_path).read()) == [None, "a"]


def test_a_broken_cursor_means_from_the_start(tmp_path):
    """A damaged cursor costs events that come twice, never one that does not come."""
    (tmp_path / "1.jsonl").write_text(line("a"))
    (tmp_path / "cursor.json").write_text("{")
    assert names(Journal(tmp_path).read()) == ["a"]


def test_no_folder_is_no_news(tmp_path):
    """The reader may start before Azurite does."""
    assert Journal(tmp_path / "later").read() == []


def test_positions_sort_by_age():
    """Older files come first, then smaller offsets."""
    assert Position("", 0) < Position("1.jsonl", 5) < Position("1.jsonl", 9) < Position("2.jsonl", 0)


def test_the_writer_begins_a_new_file_when_one_is_full(tmp_path):
    """Files stay small, so that the reader can delete them; all requests are in them once and in order."""
    node = shutil.which("node")
    assert node, "Node.js is needed"
    subprocess.run(
        [node, "--require", str(JOURNAL_CJS), "-e", PUTS, "2000"],
        env={"UPLOAD_JOURNAL": str(tmp_path)},
        check=True,
        timeout=60,
    )
    files = sorted(tmp_path.glob("*.jsonl"))
    assert len(files) > 1
    assert all(file.stat().st_size < 1.1 * 2**20 for file in files)
    journal, found = Journal(tmp_path), []
    while more := journal.read():
        found += [commit for _, commit in more if commit]
    assert [int(commit.blob.lstrip("x")) for commit in found] == list(range(1999, -1, -1))
    sequences = [commit.sequence for commit in found]
    assert sequences == sorted(set(sequences))
