"""Files of tasks and nodes."""

from urllib.parse import unquote

import pytest

from tests.local_cloud.batch.running import refused, shell, text_from


@pytest.fixture
async def files_there(client):
    """Job `j` with a task `t` that has written some files."""
    script = "printf 0123456789 > 'out put.txt'; mkdir -p a/b; echo x > a/b/ü.txt; ln -s /etc/passwd leak; exit 3"
    return await client.run("t", shell(script))


async def names(listing):
    return [entry.name async for entry in listing]


async def test_files_are_listed_with_their_properties(client, files_there):
    """A list has the top level, or with recursive everything; a filter keeps names by their beginning."""
    top = await names(client.list_task_files("j", "t"))
    every = [entry async for entry in client.list_task_files("j", "t", recursive=True)]
    some = await names(client.list_task_files("j", "t", recursive=True, filter="startswith(name,'WD/a')"))

    assert top == ["stderr.txt", "stdout.txt", "wd"]
    by_name = {entry.name: entry for entry in every}
    assert {"wd/a/b/ü.txt", "wd/out put.txt", "wd/a"} <= by_name.keys()
    assert by_name["wd/a"].is_directory
    assert by_name["wd/out put.txt"].properties.content_length == 10
    assert some == ["wd/a", "wd/a/b", "wd/a/b/ü.txt"]


async def test_file_lists_have_pages(client, files_there):
    """A file list in pages of one has every file once."""
    whole = await names(client.list_task_files("j", "t", recursive=True))
    pages = client.list_task_files("j", "t", recursive=True, max_results=1).by_page()

    assert [entry.name async for page in pages async for entry in page] == whole


async def test_a_part_of_a_file_can_be_read(client, raw, files_there):
    """ocp-range gives the bytes asked for; a range outside of the file is 416."""
    for wanted, text in (("bytes=2-4", "234"), ("bytes=7-", "789")):
        part = client.download_task_file("j", "t", "wd/out put.txt", ocp_range=wanted)
        assert await text_from(part) == text
    for wrong in ("bytes=10-12", "bytes=5-2", "words=1-2"):
        answer = await raw.send("GET", "/jobs/j/tasks/t/files/wd%2Fout%20put.txt", headers={"ocp-range": wrong})
        assert (answer.status, answer.code) == (416, "InvalidRange")


async def test_a_refused_download_is_read_and_says_why(client, files_there):
    """The error of a download that is refused has the service's code: no connection is left half read."""
    with refused("FileNotFound", 404):
        await client.download_task_file("j", "t", "nothing.txt")


async def test_properties_of_a_file(client, raw, files_there):
    """HEAD of a file tells its size, times, mode and address; of a folder that it is one."""
    found = await client.get_task_file_properties("j", "t", "wd/out put.txt")
    head = await raw.send("HEAD", "/jobs/j/tasks/t/files/wd%2Fa")

    assert (found.content_length, found.is_directory) == (10, False)
    assert int(found.file_mode, 8) >> 12 == 0o10  # a regular file, as 0o100644
    assert unquote(found.url).endswith("/jobs/j/tasks/t/files/wd/out put.txt")
    assert "/" not in found.url
    assert (head.status, head.raw, head.headers["ocp-batch-file-isdirectory"]) == (200, b"", "True")


async def test_files_can_be_deleted(client, raw, files_there):
    """A file is deleted; a folder that is not empty only with recursive."""
    await client.delete_task_file("j", "t", "wd/out put.txt")
    with refused("OperationInvalidForCurrentState"):
        await client.delete_task_file("j", "t", "wd/a")
    await client.delete_task_file("j", "t", "wd/a", recursive=True)

    assert await names(client.list_task_files("j", "t", recursive=True)) == [
        "stderr.txt",
        "stdout.txt",
        "wd",
        "wd/leak",
    ]


@pytest.mark.parametrize(
    "path",
    [
        "nothing.txt",
        "wd%2F..%2F..%2F..%2F..%2F..%2F..%2Fbatch.sqlite",
        "%2Fetc%2Fpasswd",
        "wd%2Fleak",
        "%00",
        "a" * 400,
    ],
)
async def test_nothing_outside_of_the_task_is_shown(raw, files_there, path):
    """Files that are not there, paths that lead out and links that do are FileNotFound."""
    answer = await raw.send("GET", f"/jobs/j/tasks/t/files/{path}")

    assert (answer.status, answer.code) == (404, "FileNotFound")


async def test_a_task_that_has_not_run_has_no_files(raw, client):
    """Files of an active task are an invalid operation, those of a task whose node is gone unavailable."""
    await client.new_job("idle", pool="none")
    await client.new_task("t", "true", job="idle")

    answer = await raw.send("GET", "/jobs/idle/tasks/t/files")

    assert (answer.status, answer.code) == (409, "OperationInvalidForCurrentState")


async def test_files_go_with_the_node(raw, client, files_there):
    """When the node is removed the task stays, its files are unavailable."""
    await client.resize("ilastik", target_dedicated_nodes=0)

    answer = await raw.send("GET", "/jobs/j/tasks/t/files/stdout.txt")

    assert (answer.status, answer.code) == (409, "TaskFilesUnavailable")


async def test_files_of_a_node(client, files_there):
    """A node lists and serves its shared, start-task and task folders."""
    node = files_there.node_info.node_id

    every = await names(client.list_node_files("ilastik", node, recursive=True))
    text = await text_from(client.download_node_file("ilastik", node, "workitems/j/job-1/t/wd/out put.txt"))
    found = await client.get_node_file_properties("ilastik", node, "workitems/j/job-1/t/wd/out put.txt")
    await client.delete_node_file("ilastik", node, "workitems/j/job-1/t/stderr.txt")

    assert {"shared", "startup", "workitems/j/job-1/t/stdout.txt"} <= set(every)
    assert text == "0123456789"
    assert found.content_length == 10
    assert "workitems/j/job-1/t/stderr.txt" not in await names(client.list_node_files("ilastik", node, recursive=True))
