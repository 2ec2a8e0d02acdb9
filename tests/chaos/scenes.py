"""The scenes that enumerations disturb."""

from datetime import timedelta
from functools import partial

from tests.chaos import affairs as at
from tests.chaos import deeds as do
from tests.chaos import parted
from tests.chaos.fates import Fate
from tests.chaos.scene import CLASSIFIER, FIRST, MINUTE, NAME, OTHER_CLASSIFIER, SECOND, Scene

SCENES = (
    Scene("a dropped image", at.dropped, do.look),
    Scene("an image that is refused", lambda w: at.dropped(w, b"REFUSE It is cut off."), do.look),
    Scene("an image that can't be checked to its end", lambda w: at.dropped(w, b"UNSURE image 5"), do.look),
    Scene(
        "an image that the classifier refuses",
        lambda w: at.dropped(w, b"NEEDS neuron 5"),
        do.both(do.look, do.restore(OTHER_CLASSIFIER)),
    ),
    Scene("an image before its project", lambda w: w.drop(NAME, FIRST), do.both(do.look, do.restore(CLASSIFIER))),
    Scene(
        "an image with an untrained project",
        do.both(lambda w: w.project(b"REFUSE"), lambda w: w.drop(NAME, FIRST)),
        do.both(do.look, do.restore(CLASSIFIER)),
    ),
    Scene(
        "an image of a script's project",
        lambda w: w.drop(NAME, FIRST),
        do.both(lambda w: w.project(b"print(1)  # cell", 0, suffix=".py"), do.look),
        timedelta(seconds=12),
    ),
    *(
        Scene(f"a script that lies ended: {fate}", partial(at.script_ended, fate), do.tick, timedelta(minutes=2))
        for fate in (Fate.NO_OUTPUT, Fate.CUT)
    ),
    Scene("an archived image", do.both(at.dropped, do.archive), do.look),
    Scene(
        "a project appears, found by asking",
        at.waiting,
        do.both(lambda w: w.project(CLASSIFIER), do.after(2 * MINUTE, do.tick)),
    ),
    Scene("a project appears, told by its event", at.waiting, do.project(CLASSIFIER), timedelta(seconds=12)),
    Scene("a fitting project comes", at.rejected, do.project(OTHER_CLASSIFIER), timedelta(seconds=12)),
    Scene("another image while the first waits", at.waiting, do.both(do.drop(SECOND), do.restore(CLASSIFIER))),
    Scene("another image while the task waits", at.active, do.drop(SECOND)),
    Scene("another image while the task runs", at.known_running, do.drop(SECOND)),
    Scene("another image when the task is done", at.completed, do.drop(SECOND)),
    Scene("another image while results are moved", at.collecting, do.drop(SECOND)),
    Scene("another image after success", at.succeeded, do.drop(SECOND)),
    Scene("another image after rejection", at.rejected, do.drop(SECOND)),
    Scene("another image after failure", at.failed, do.drop(SECOND)),
    Scene("the same image after failure", at.failed, do.drop(FIRST)),
    Scene("the same image after it was deleted", at.cancelled, do.drop(FIRST)),
    Scene("the same image after success", at.succeeded, do.drop(FIRST)),
    Scene("a wrong image while the task runs", at.known_running, do.drop(b"REFUSE It is cut off.")),
    Scene("a wrong image while results are moved", at.collecting, do.drop(b"REFUSE It is cut off.")),
    Scene("a wrong image after success", at.succeeded, do.drop(b"REFUSE It is cut off.")),
    Scene(
        "another image that has to wait while the task runs",
        do.both(at.known_running, do.without_project),
        do.both(do.drop(SECOND), do.restore(CLASSIFIER)),
    ),
    Scene("an edit of the metadata while the task runs", at.known_running, do.edit),
    Scene("an edit of the metadata while results are moved", at.collecting, do.edit),
    Scene("an edit of the metadata after success", at.succeeded, do.edit),
    Scene(
        "the waiting image is deleted",
        do.both(at.waiting, do.delete),
        do.both(do.after(2 * MINUTE, do.tick), do.restore(CLASSIFIER)),
    ),
    Scene("the image is deleted before its task began", at.active_without_nodes, do.delete_and_tick),
    Scene("a broken node keeps an image waiting", at.active_with_a_broken_node, do.tick),
    Scene("a file is cancelled while its task runs", at.known_running, do.cancel),
    Scene("a file is cancelled while it waits", at.waiting, do.both(do.cancel, do.restore(CLASSIFIER))),
    Scene("a closed job", at.job_is_closed, do.look),
    Scene("Batch can't answer", at.batch_is_down, do.both(do.look, lambda w: w.later(MINUTE, w.down.clear))),
    Scene("a task began", at.running, do.tick),
    Scene("a task is done", at.completed, do.tick),
    *(
        Scene(f"a task ended: {fate}", partial(at.ended, fate), do.tick, timedelta(minutes=2))
        for fate in (
            Fate.COMMAND,
            Fate.OUT_OF_MEMORY,
            Fate.STAGING_OUT,
            Fate.NODE,
            Fate.DISK_FULL,
            Fate.NO_OUTPUT,
            Fate.CUT,
            Fate.SHORT_TIFF,
            Fate.LACKS_TIFF,
        )
    ),
    *(
        Scene(f"the last try ended: {fate}", partial(at.doomed, fate), do.tick)
        for fate in (Fate.TIMEOUT, Fate.DISK_TOO_SMALL)
    ),
    Scene("a second try ended", at.at_second_try, do.tick),
    Scene("a node was lost", lambda w: at.requeued(w, Fate.NODE_LOST), do.tick),
    Scene("all was staged, but Batch failed", lambda w: at.completed(w, Fate.STAGED), do.tick),
    Scene("a node was shut down", lambda w: at.completed(w, Fate.SHUT_DOWN), do.tick),
    Scene("a node is gone", lambda w: at.requeued(w, Fate.NODE_GONE), do.tick),
    Scene("a node was preempted", lambda w: at.requeued(w, Fate.PREEMPTED), do.tick),
    Scene("a task is gone", at.gone, do.tick, timedelta(seconds=3)),
    Scene("results are moved", at.collecting, do.after(11 * MINUTE, do.tick)),
    Scene("results of a second version are moved", at.second_completed, do.tick),
    Scene("results of a second execution are moved", at.twice, do.tick),
    Scene("a dropped image is computed in parts", parted.wanted, do.look),
    Scene("all parts are done", parted.done, do.tick),
    Scene("a part failed", lambda w: parted.done(w, Fate.COMMAND), do.tick, timedelta(minutes=2)),
    Scene("a part lacks results", lambda w: parted.done(w, Fate.CUT), do.tick),
    Scene("parts are joined", parted.joining, do.tick),
    Scene("another image while parts are computed", parted.at_work, do.drop(SECOND)),
    Scene("a file is cancelled while its parts are computed", parted.at_work, do.cancel),
    Scene("an idle job is closed", at.idle_for_a_day, do.tick),
    Scene("a missed image is found", at.missed, do.tick),
    Scene("an event that could not be delivered is found", at.undelivered, do.tick),
    Scene("a missed project is found", at.missed_project, do.tick, timedelta(seconds=12)),
    Scene("a file is removed for good", at.removal_is_due, lambda w: w.operators.remove_for_good(NAME)),
    Scene(
        "a file is removed while it is uploaded again",
        at.removal_is_due,
        do.both(lambda w: w.operators.remove_for_good(NAME), do.drop(SECOND)),
    ),
    Scene("staging of a failed run is removed", at.kept, do.tick),
)
