"""The folders of a node, laid out as Batch lays them out."""

import shutil
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class TaskPaths:
    """The folders and files of a task or start task."""

    root: Path

    @property
    def working(self) -> Path:
        return self.root / "wd"

    @property
    def stdout(self) -> Path:
        return self.root / "stdout.txt"

    @property
    def stderr(self) -> Path:
        return self.root / "stderr.txt"

    def make(self) -> None:
        """Make the folders."""
        self.working.mkdir(parents=True, exist_ok=True)


@dataclass(frozen=True, slots=True)
class NodePaths:
    """The folders of a node; `home` lies outside of what the service lists as the node's files."""

    base: Path

    @property
    def root(self) -> Path:
        return self.base / "root"

    @property
    def home(self) -> Path:
        return self.base / "home"

    @property
    def shared(self) -> Path:
        return self.root / "shared"

    @property
    def startup(self) -> Path:
        return self.root / "startup"

    def task_folder(self, job: str, task: str) -> str:
        """Return a task's folder relative to the node's root."""
        return f"workitems/{job}/job-1/{task}"

    def task(self, job: str, task: str) -> TaskPaths:
        """Return the folders of a task, whether or not they exist."""
        return TaskPaths(self.root / self.task_folder(job, task))

    def job(self, job: str) -> Path:
        """Return the folder of a job's tasks."""
        return self.root / "workitems" / job

    def make(self) -> None:
        """Make the node's folders."""
        for folder in (self.shared, self.startup, self.root / "volatile", self.root / "workitems", self.home):
            folder.mkdir(parents=True, exist_ok=True)

    def remove(self) -> None:
        """Remove everything of the node."""
        shutil.rmtree(self.base, ignore_errors=True)
