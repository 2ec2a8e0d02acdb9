"""Tasks of Azure Batch between the SDK's models and our own values."""

import json
from collections.abc import Iterator, Sequence

from azure.batch import models

from batch_ops.domain.batch_task import Task, TaskFailure, TaskState
from batch_ops.domain.task_spec import OutputFile, ResourceFile, TaskSpec

# The names of the fields of a task, of one of its variables and of one of its files, in JSON.
_TASK_BYTES, _VARIABLE_BYTES, _FILE_BYTES = 600, 40, 300


def create_options(spec: TaskSpec) -> models.BatchTaskCreateOptions:
    """Convert a task to the SDK's form."""
    identity = models.BatchNodeIdentityReference(resource_id=spec.identity)
    return models.BatchTaskCreateOptions(
        id=spec.id,
        display_name=spec.display_name,
        command_line=spec.command_line,
        environment_settings=[models.EnvironmentSetting(name=name, value=value) for name, value in spec.environment],
        resource_files=[_resource_file(file, identity) for file in spec.resource_files],
        output_files=[_output_file(file, identity) for file in spec.output_files],
        required_slots=spec.required_slots,
        constraints=models.BatchTaskConstraints(
            max_wall_clock_time=spec.wall_clock, retention_time=spec.retention, max_task_retry_count=0
        ),
    )


def _resource_file(file: ResourceFile, identity: models.BatchNodeIdentityReference) -> models.ResourceFile:
    if file.http_url:
        return models.ResourceFile(http_url=file.http_url, file_path=file.path, identity_reference=identity)
    return models.ResourceFile(
        storage_container_url=file.container_url,
        blob_prefix=file.blob_prefix or None,
        file_path=file.path,
        identity_reference=identity,
    )


def _output_file(file: OutputFile, identity: models.BatchNodeIdentityReference) -> models.OutputFile:
    condition = models.OutputFileUploadCondition
    return models.OutputFile(
        file_pattern=file.pattern,
        destination=models.OutputFileDestination(
            container=models.OutputFileBlobContainerDestination(
                container_url=file.container_url, path=file.path, identity_reference=identity
            )
        ),
        upload_options=models.OutputFileUploadConfiguration(
            upload_condition=condition.TASK_COMPLETION if file.always else condition.TASK_SUCCESS
        ),
    )


def in_groups(specs: Sequence[TaskSpec], most_bytes: int) -> Iterator[Sequence[TaskSpec]]:
    """Divide tasks into groups whose requests are not longer than that: each is estimated from above."""
    first, length = 0, 0
    for number, spec in enumerate(specs):
        own = _longest(spec)
        if number > first and length + own > most_bytes:
            yield specs[first:number]
            first, length = number, 0
        length += own
    if first < len(specs):
        yield specs[first:]


def _longest(spec: TaskSpec) -> int:
    """Return how many bytes a task takes at most: the SDK escapes what is not ASCII, and quotes."""
    files = [(f.path, f.http_url, f.container_url, f.blob_prefix, spec.identity) for f in spec.resource_files]
    outputs = [(f.pattern, f.container_url, f.path, spec.identity) for f in spec.output_files]
    texts = [spec.id, spec.display_name, spec.command_line, *(text for pair in spec.environment for text in pair)]
    texts += [text for group in (*files, *outputs) for text in group]
    known = _TASK_BYTES + _VARIABLE_BYTES * len(spec.environment) + _FILE_BYTES * (len(files) + len(outputs))
    return known + sum(len(json.dumps(text)) for text in texts)


def task_of(job_id: str, found: models.BatchTask) -> Task:
    """Convert a task as the service shows it."""
    info = found.execution_info
    failure = info.failure_info if info else None
    return Task(
        job_id=job_id,
        task_id=found.id,
        state=TaskState(word(found.state)),
        changed=found.state_transition_time,
        exit_code=info.exit_code if info else None,
        succeeded=info is not None and word(info.result) == "success",
        failure=TaskFailure(word(failure.category), failure.code or "", failure.message or "") if failure else None,
        node_id=found.node_info.node_id if found.node_info else None,
        started=info.start_time if info else None,
        ended=info.end_time if info else None,
        requeues=(info.requeue_count or 0) if info else 0,
        requeued=info.last_requeue_time if info else None,
    )


def word(value: object) -> str:
    """Return a word of the service in lower case: some are enums in the SDK, some text."""
    return str(getattr(value, "value", value)).lower()
