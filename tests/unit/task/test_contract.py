"""What a task gets, and the command that it runs."""

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch_ops.task import contract
from batch_ops.task.contract import TaskEnvironment

TASK = TaskEnvironment(
    nickname="nuclei",
    internal_path="volume/data",
    axes="",
    export_source="Simple Segmentation",
    image_name='lab/it\'s "α".h5',
    image_etag='"0x8D"',
    image_length=10,
    project_digest="ab" * 32,
    correlation_id="c",
    task_id="t-1",
    run=1,
    attempt=2,
    threads=4,
    ram_mb=4096,
)


def test_the_environment_arrives_as_it_was_sent():
    """to_env and from_env are each other's reverse; foreign variables don't matter."""
    environ = TASK.to_env()
    assert all(name.startswith("ILASTIK_TASK_") for name in environ)
    assert TaskEnvironment.from_env({**environ, "HOME": "/", "ILASTIK_TASK_OTHER": "x"}) == TASK


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"], exclude_characters="\0")), st.integers(1, 2**50))
def test_any_blob_name_and_length_survives_the_environment(name, length):
    """Names from outside are data: whatever they hold, they come back unchanged."""
    task = dataclasses.replace(TASK, image_name=name, image_length=length)
    assert TaskEnvironment.from_env(task.to_env()) == task


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"nickname": ""}, "nickname"),
        ({"nickname": "a/b"}, "nickname"),
        ({"nickname": ".."}, "nickname"),
        ({"nickname": "-rf"}, "nickname"),
        ({"nickname": "a" * 65}, "nickname"),
        ({"nickname": "ä"}, "nickname"),
        ({"nickname": "a\n"}, "nickname"),
        ({"axes": "tzyxq"}, "axes"),
        ({"export_source": "Features"}, "export source"),
        ({"project_digest": "AB" * 32}, "digest"),
        ({"image_length": 0}, "length"),
        ({"threads": 0}, "threads"),
        ({"ram_mb": 499}, "ram_mb"),
        ({"image_name": "a\0b"}, "null"),
    ],
)
def test_values_that_a_node_would_refuse_are_never_sent(change, message):
    """The rules are checked on both sides, before the task exists and on the node."""
    with pytest.raises(contract.TaskEnvironmentError, match=message):
        dataclasses.replace(TASK, **change).to_env()


def test_all_missing_and_unreadable_values_are_reported_at_once():
    """One failed task is enough to learn of every fault."""
    environ = TASK.to_env()
    del environ["ILASTIK_TASK_NICKNAME"]
    environ |= {"ILASTIK_TASK_RUN": "x", "ILASTIK_TASK_THREADS": "-1"}
    with pytest.raises(contract.TaskEnvironmentError, match=r"NICKNAME is missing.*RUN is not.*THREADS is not"):
        TaskEnvironment.from_env(environ)
