"""Azure Batch's autoscale formulas: the language, and a simulator of pools that they steer.

Feed a `Samples` with a pool's metrics, evaluate a formula against it; every time is an argument:

>>> from datetime import UTC, datetime, timedelta
>>> samples = Samples()
>>> start = datetime(2026, 1, 5, 8, 0, tzinfo=UTC)
>>> for tick in range(20):
...     samples.record(start + tick * timedelta(seconds=30), {"$PendingTasks": 5, "$ActiveTasks": 5})
>>> formula = parse('''
...     tasks = avg($PendingTasks.GetSample(TimeInterval_Minute * 5));
...     $TargetLowPriorityNodes = min(tasks / 2, 20);
...     $NodeDeallocationOption = taskcompletion;
... ''')
>>> evaluation = evaluate(formula, samples, start + timedelta(minutes=10), current=Targets(dedicated=1))
>>> evaluation.results
'$TargetDedicatedNodes=1;$TargetLowPriorityNodes=2;$NodeDeallocationOption=taskcompletion;$tasks=5'
>>> evaluation.targets, evaluation.error
(Targets(dedicated=1, low_priority=2), None)

`parse` raises FormulaError (`.code` is the service's, `str()` is "Line L, Col C: ..."): what creating a pool
or enabling autoscale answers with 400. `evaluate` returns every failure as `Evaluation.error`, in the
fields of AutoScaleRunError: what `evaluateautoscale` answers with 200.
"""

from local_cloud.autoscale.errors import Code, EvaluationError, FormulaError
from local_cloud.autoscale.evaluation import Evaluation, Targets, evaluate
from local_cloud.autoscale.parser import parse
from local_cloud.autoscale.samples import Samples
from local_cloud.autoscale.syntax import Formula
from local_cloud.autoscale.values import DeallocationOption
from local_cloud.autoscale.vocabulary import Metric

__all__ = [
    "Code",
    "DeallocationOption",
    "Evaluation",
    "EvaluationError",
    "Formula",
    "FormulaError",
    "Metric",
    "Samples",
    "Targets",
    "evaluate",
    "parse",
]
