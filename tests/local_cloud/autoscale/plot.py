"""Draw simulated runs: `make plot-autoscale ARGS="FORMULA ... --trace NAME --png FILE"`, options as of the simulator.

A column a formula; nodes, tasks and waiting times one above the other. Not part of what a user installs.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

from local_cloud.autoscale.command import arguments, simulated
from local_cloud.autoscale.simulation.clock import Run
from local_cloud.autoscale.simulation.trace import HOUR


def draw(runs: Sequence[tuple[str, Run]], path: Path) -> None:
    """Write a PNG; scales are shared, so that columns compare."""
    # Imported here: nothing else of the tests needs it, and it takes half a second to load.
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7 * len(runs), 9), layout="constrained")
    panels = figure.subplots(3, len(runs), sharex=True, sharey="row", squeeze=False)
    for (title, run), (nodes, tasks, waits) in zip(runs, panels.T, strict=True):
        hours = [moment.at / HOUR for moment in run.moments]
        nodes.set_title(f"{title}, {run.trace.name}")
        dedicated, spot = [one.dedicated for one in run.moments], [one.spot for one in run.moments]
        # A value holds until the next sample: a slope would show nodes that never were.
        nodes.stackplot(hours, dedicated, spot, step="post", labels=("dedicated nodes", "spot nodes"))
        nodes.step(hours, [one.preempted for one in run.moments], "r", where="post", label="preempted")
        running, active = [one.running for one in run.moments], [one.active for one in run.moments]
        tasks.stackplot(hours, running, active, step="post", labels=("running tasks", "active tasks"))
        begun = [(task.arrival.at, task.started) for task in run.tasks if task.started is not None]
        minutes = [(started - at) / 60 for at, started in begun]
        waits.plot([at / HOUR for at, _ in begun], minutes, ".", label="minutes from arrival to start")
        waits.set_xlabel("hours")
        for panel in (nodes, tasks, waits):
            panel.legend(loc="upper left")
    figure.savefig(path)


def main(argv: Sequence[str]) -> None:
    """Simulate as the options say, and draw."""
    parser = arguments()
    parser.add_argument("--png", type=Path, required=True, help="the picture to write")
    options = parser.parse_args(argv)
    draw(simulated(options), options.png)


if __name__ == "__main__":
    main(sys.argv[1:])
