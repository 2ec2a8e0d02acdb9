"""The command line of the simulator: formulas in, a table and perhaps a picture out."""

import argparse
import sys
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Final

from local_cloud.autoscale import Formula, FormulaError, parse
from local_cloud.autoscale.parameters import ParameterError, override
from local_cloud.autoscale.simulation.clock import Run, Settings, simulate
from local_cloud.autoscale.simulation.pool import PoolShape
from local_cloud.autoscale.simulation.report import Prices, summarise, table
from local_cloud.autoscale.simulation.trace import (
    GENERATED,
    HOUR,
    SpotMarket,
    Trace,
    TraceError,
    generate,
    read,
    write,
)

BUILT_IN: Final = ("documented", "documented-spot")


class UsageError(Exception):
    """Arguments that cannot be used; the message says which and what to write."""


def arguments() -> argparse.ArgumentParser:
    """The options of the simulator."""
    default = Prices()
    parser = argparse.ArgumentParser(
        prog="python -m local_cloud autoscale",
        description="Simulates a Batch pool that an autoscale formula steers, under a trace of arriving tasks.",
    )
    parser.add_argument(
        "formulas",
        nargs="+",
        metavar="FORMULA",
        help="a formula file, perhaps with other parameters (autoscale.formula:spotNodes=0,maxNodes=8), or "
        f"{' or '.join(BUILT_IN)} for the example of Azure's documentation; several are compared",
    )
    parser.add_argument(
        "--trace",
        action="append",
        metavar="NAME|CSV",
        help=f"{', '.join(GENERATED)}, 'all' of these, or a CSV file with arrival,duration[,slots] in seconds; "
        "may be given again (default: all)",
    )
    parser.add_argument("--seed", type=int, default=1, help="of traces, node starts and preemptions")
    parser.add_argument("--save-trace", type=Path, metavar="CSV", help="writes the arrivals of one trace")
    pool = parser.add_argument_group("the pool")
    pool.add_argument("--slots", type=int, default=1, help="task slots of a node")
    pool.add_argument("--task-slots", type=int, default=1, help="slots of each generated task")
    pool.add_argument(
        "--node-start", type=float, nargs=2, default=(3.0, 8.0), metavar=("MIN", "MAX"), help="minutes (3 8)"
    )
    pool.add_argument("--interval", type=float, default=5.0, help="minutes between evaluations (5)")
    pool.add_argument("--sample-loss", type=float, default=0.02, help="share of samples that get lost (0.02)")
    market = parser.add_argument_group("spot nodes, in place of what the trace says")
    market.add_argument("--preemptions", type=float, metavar="RATE", help="per node and hour")
    market.add_argument(
        "--outage", type=float, nargs=2, action="append", metavar=("FROM", "TO"), help="hours without spot nodes"
    )
    money = parser.add_argument_group("prices of a node hour, of the size of list prices: give your own")
    money.add_argument("--price-dedicated", type=float, default=default.dedicated, help="(%(default)s)")
    money.add_argument("--price-spot", type=float, default=default.spot, help="(%(default)s)")
    return parser


def main(argv: Sequence[str]) -> int:
    """Run the simulator; 0 when the table was printed, 2 when formula, trace or arguments are at fault."""
    options = arguments().parse_args(argv)
    try:
        runs = simulated(options)
    except (UsageError, TraceError, ParameterError, OSError, ValueError) as exc:
        sys.stderr.write(f"{exc}\n")
        return 2
    prices = Prices(options.price_dedicated, options.price_spot)
    sys.stdout.write(table([summarise(title, run, prices) for title, run in runs]) + "\n")
    for title, run in runs:
        _tell_errors(title, run)
    return 0


def simulated(options: argparse.Namespace) -> list[tuple[str, Run]]:
    """Simulate each formula under each trace; the title of a run is that of its formula. Saves the trace if asked."""
    traces = _traces(options)
    formulas = [_formula(name) for name in options.formulas]
    if len(traces) > 1 and options.save_trace:
        raise UsageError("--save-trace takes one trace: name it with --trace.")
    runs = [(title, simulate(formula, trace, _settings(options))) for trace in traces for title, formula in formulas]
    if options.save_trace:
        write(traces[0], options.save_trace)
    return runs


def _tell_errors(title: str, run: Run) -> None:
    if run.errors:
        at, first = run.errors[0]
        sys.stdout.write(
            f"{title}, {run.trace.name}: {len(run.errors)} evaluations failed, the first after "
            f"{at / 60:.0f} min: {first.detail}\n"
        )


def _formula(name: str) -> tuple[str, Formula]:
    path, _, settings = name.partition(":")
    if path in BUILT_IN:
        text = files("local_cloud.autoscale").joinpath(f"formulas/{path}.formula").read_text(encoding="utf-8")
    else:
        text = Path(path).read_text(encoding="utf-8")
    if settings:
        pairs = [pair.partition("=") for pair in settings.split(",")]
        text = override(text, {left.strip(): right.strip() for left, _, right in pairs})
    try:
        return Path(path).stem + (f" {settings}" if settings else ""), parse(text)
    except FormulaError as exc:
        raise UsageError(f"{path}: {exc}") from exc


def _traces(options: argparse.Namespace) -> list[Trace]:
    names: list[str] = []
    for name in options.trace or ["all"]:
        names += GENERATED if name == "all" else [name]
    return [_trace(name, options) for name in names]


def _trace(name: str, options: argparse.Namespace) -> Trace:
    if name in GENERATED:
        trace = generate(name, options.seed, slots=options.task_slots)
    else:
        trace = read(Path(name), SpotMarket())
    if options.preemptions is None and options.outage is None:
        return trace
    rate = trace.market.preemptions_per_hour if options.preemptions is None else options.preemptions
    outages = tuple((begin * HOUR, end * HOUR) for begin, end in options.outage or ())
    return Trace(trace.name, trace.arrivals, trace.until, SpotMarket(rate, outages))


def _settings(options: argparse.Namespace) -> Settings:
    shortest, longest = options.node_start
    if not 0 <= shortest <= longest <= 1440:
        raise UsageError("--node-start takes two numbers of minutes, the lesser first.")
    if not 5 <= options.interval <= 168 * 60:
        raise UsageError("--interval is 5 minutes to 168 hours, as in Azure.")
    if not 1 <= options.slots <= 256:
        raise UsageError("--slots is 1 to 256, as in Azure.")
    if not 0 <= options.sample_loss < 1:
        raise UsageError("--sample-loss is a share from 0 to below 1.")
    shape = PoolShape(options.slots, (shortest * 60, longest * 60))
    return Settings(shape, options.interval * 60, options.sample_loss, options.seed)
