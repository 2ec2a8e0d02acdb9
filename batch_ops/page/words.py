"""Every word of the page, in one place."""

from collections.abc import Mapping

from batch_ops.domain.file_record import State

TITLE = "ilastik-batch"
LANGUAGE = "en"
SKIP = "Skip to the content"
OVERVIEW, FILES, FILE = "Overview", "Files", "File"
NAVIGATION = "Pages"
SIGNED_IN_AS = "Signed in as"
SIGN_OUT = "Sign out"
TIMES_ARE_UTC = "All times are UTC."

STATES: Mapping[State, str] = {
    State.WAITING: "Waiting",
    State.WAITING_FOR_PROJECT: "Waiting for its classifier",
    State.SUBMITTING: "About to start",
    State.ACTIVE: "Waiting for a machine",
    State.PREPARING: "Starting",
    State.RUNNING: "Computing",
    State.COLLECTING: "Results are collected",
    State.SUCCEEDED: "Done",
    State.REJECTED: "Rejected",
    State.FAILED: "Failed",
    State.SUPERSEDED: "Replaced by a newer version",
    State.CANCELLED: "Cancelled",
}
TONES: Mapping[State, str] = {
    **dict.fromkeys((State.WAITING, State.WAITING_FOR_PROJECT, State.ACTIVE), "waits"),
    **dict.fromkeys((State.SUBMITTING, State.PREPARING, State.RUNNING, State.COLLECTING), "works"),
    State.SUCCEEDED: "good",
    **dict.fromkeys((State.REJECTED, State.FAILED), "bad"),
    **dict.fromkeys((State.SUPERSEDED, State.CANCELLED), "over"),
}

# Overview
NOW, TODAY, MONTH = "Open now", "Dropped today", "This month"
NOTHING_OPEN = "Nothing is open."
NOTHING_TODAY = "Nothing was dropped today."
THERE_ARE_MORE = "There are more files than are counted here."
WHY_WAITING = "What waits, and why"
NOTHING_WAITS = "Nothing waits."
NO_REASON = "No reason is noted."
SUCH_AS = "such as"
POOL = "Machines"
POOL_FINE = "The pool says nothing is wrong."
POOL_UNKNOWN = "The pool could not be looked at"
NODES_NOW, NODES_WANTED = "machines are there", "are wanted"
PAUSED = "Paused"
PAUSED_ALL = "Everything is paused by an operator since"
PAUSED_PROJECT = "is paused by an operator since"
PROJECTS = "Projects"
PROJECT, DONE, FAILED, REJECTED, CANCELLED = "Project", "Done", "Failed", "Rejected", "Cancelled"
NODE_TIME, COST = "Machine time", "Cost"
ALL_PROJECTS = "All projects"
BUDGET = "Budget of the month"
OF = "of"
NO_PROJECTS = "There are no projects yet: put a classifier into the container of projects."
COST_UNKNOWN = "not known"
COST_AT_LEAST = "at least"

# Files
FILTER = "Filter"
ANY_STATE, OPEN_STATES = "Any state", "All that is open"
STATE = "State"
WARNING, ANY_OR_NONE, ANY_WARNING = "Warning", "With and without", "Any warning"
LOOKED_THROUGH = "{} of the {} that were looked through; the next ones follow."
BEGINNING = "Beginning of the name"
BEGINNING_HINT = "A folder, such as embryos/plate 3/. Files are then listed by name, else the newest first."
APPLY = "Show"
NO_FILES = "There are no such files."
NAME, REASON, COUNTS, AGE, PICTURE = "Name", "Reason", "Objects", "Dropped", "Picture"
NEXT_PAGE, FIRST_PAGE = "Next files", "First files"
OVERLAY_OF = "Result drawn over"
WARNINGS = "Warnings"
AGO = "ago"
JUST_NOW = "just now"
CHOOSE = "Choose"

# File
PREVIEW, OVERLAY = "Image", "Result over the image"
ATTEMPTS = "Attempts that did not succeed"
ATTEMPT, ENDED, KIND, MACHINE = "Attempt", "Ended", "Kind", "Machine"
RUNS, RUN, BEGUN = "Runs", "Run", "Begun"
OBJECTS, COUNTED = "Objects", "What is counted"
TIME_POINT, CLASS, SIZE = "Time point", "Class", "Total size"
PLOT = "Objects over time"
DOWNLOADS = "Downloads"
BYTES = "bytes"
NO_RESULTS = "There are no results."
CUT = "There are more; objects.csv among the results has them all."
MANY_FILES = "a folder of many files; take it with: az storage blob download-batch, or files fetch"
LARGE = "too large for the page; take it with: az storage blob download"
COMPARE = "Image to the left, result to the right"
CROP = "Cut out to train on"
CROP_HINT = (
    "A part of the image as a file for ilastik, in the axes of the training images, such as z=10:40,y=0:512,x=100:612; "
    "nothing: its middle."
)
CROP_DRAW = "A box drawn over the image is written down here."
CROP_BOX, CROP_DO, CROP_REFUSED = "Part", "Cut out", "Nothing was cut out: {}."
CROP_LATER = "Try again in a moment."
CROP_COMMAND = (
    "What is too much for the page, operators can cut out on their own computer: python -m batch_ops.files crop."
)
CROP_UNPACK = (
    "Operators can cut it out on their own computer, with the package hdf5plugin: python -m batch_ops.files crop."
)
DUE = "Foreseen: done about {} ({} of computing)."
DUE_ONCE = "Foreseen: about {} of computing, once a machine takes it."
TIMES = "Times"
DETAILS = "Details"
STEPS: Mapping[str, str] = {
    "waiting": "waiting",
    "starting": "starting",
    "computing": "computing",
    "collecting": "collecting",
}

TITLES: Mapping[str, str] = {
    "bytes": "Bytes",
    "dataset": "Dataset",
    "shape": "Shape",
    "axes": "Axes",
    "values": "Values",
    "images": "Images",
    "tool": "Tool",
    "ilastik": "ilastik",
    "export": "Export",
    "classifier_sha_256": "Classifier (SHA-256)",
    "foreseen": "Foreseen",
    "pool": "Pool",
    "machine": "Machine",
    "task": "Task",
    "machine_time": "Machine time",
    "not_before": "Not before",
    "last_change": "Last change",
    "correlation_id": "Correlation id",
}

# Project
FILES_OF_PROJECT = "Its files"
CLASSIFIER, LABELS, FEATURES, CONFIGURATION = "Classifier", "Labels", "Features", "Configuration"
IN_USE_SINCE, NOT_USED_YET = "In use since", "not used yet"
USED_FOR, OF_THE_NEWEST = "Used for", "of the newest {:,}"
TRAINED_IN, CHANNELS = "Trained in", "channels: {}"
NOT_LOOKED_AT = "not known of this version"
COLOUR_UNKNOWN = "colour not known"
NO_CONFIGURATION = "Everything is as by default."
CONFIGURATION_HINT = "It is changed by putting another file into its place:"
ALL_FILES, NEWEST_FILES = "All files", "The newest {:,} files"
PLOT_OVER_FILES = "Objects of each file, the newest at the right; of a time series the mean"
LEAST, MEDIAN, MOST = "Fewest", "Median", "Most"
MONTHS, THE_MONTH = "This month and the one before", "Month"
BACKFILL = "Older images"
BACKFILL_LINK = "Older images that never ran"
BACKFILL_HINT = "Images that were there before the system do not start by themselves."
BACKFILL_FOUND = "{} of this project's folder never ran, {} GB; known already: {:,}."
BACKFILL_MORE = "There are more: only the first {} images were looked at. The command, `files backfill`, looks at all."
BACKFILL_ARCHIVED = "In the archive tier: {:,}. They wait until somebody rehydrates them."
BACKFILL_TIME = "Time of one task slot for all of them: {} ({})."
ESTIMATED, GUESSED = "estimated from {} that finished", "a guess: no file has finished yet"
BACKFILL_DAYS = "At most {} start on a day, so that they begin over {:,} days."
BACKFILL_DO = "Run {}"

# Steering
ACTIONS = ("retry", "cancel", "retry-all", "cancel-all")
RETRY, CANCEL = "Run again", "Cancel"
RETRY_ALL, CANCEL_ALL = "Run all of these again", "Cancel all of these"
PAUSE, RESUME = "Pause", "Resume"
STEER = "Steer"
SURE, SAID = "Are you sure?", "Done"
YES, NO, BACK = "Yes", "No, go back", "Back"
QUESTIONS: Mapping[str, str] = {
    "retry": "{} will be run again.",
    "cancel": "{} will be cancelled.",
    "pause": "New runs will wait, those that have begun go on: {}.",
    "resume": "New runs will begin: {}.",
    "backfill": "{} will be run.",
}
DONE_WITH: Mapping[str, str] = {
    "retry": "{} will be run again within a minute.",
    "cancel": "{} cancelled.",
    "pause": "Paused: {}.",
    "resume": "Resumed: {}.",
    "backfill": "{} will be run, each when it is its turn.",
}
LEFT_ALONE = "{} left alone: {}."
AND_MORE = "and {} more"
BY = "by"
NOT_FROM_HERE = "This did not come from the page itself, or from a page that was open for very long: load it again."

# Drop
DROP = "Drop"
DROP_HERE = "Drop images here, or choose them"
DROP_PROJECT, DROP_FOLDER = "Project", "Folder in the project"
DROP_FOLDER_HINT = "Such as 2026-11-29/plate 3; it may be left empty."
DROP_REPLACES = "Replace files that are there already"
DROP_KINDS = "Images are {}; a file may have up to {:,.10g} GB."
DROP_SCRIPT = "Sending files from here needs JavaScript. Without it, send them with the Azure CLI or AzCopy."
DROP_CLOSED = "Files can't be sent from the page here: the app has no right to write images (deploy.sh --page-upload)."
# What the script says of each file; {} are numbers.
DROP_SAID: Mapping[str, str] = {
    "waits": "waits for its turn",
    "sends": "{} % of {} MB sent",
    "done": "sent",
    "same": "is there already, the very same",
    "exists": "There is a file of this name already; tick 'Replace files that are there already' and drop it again.",
    "broken": "The connection broke; drop it again, and it goes on where it was.",
    "refused": "It was refused; load the page again.",
    "signed-out": "You are signed out; load the page again, then drop it again: it goes on where it was.",
    "no-project": "Say into which project.",
    "other-program": (
        "Another program began to send a file of this name and broke off: send it with that program, or drop it under "
        "another name here; after a week it may come by this one."
    ),
    "cut": "The file changed while it was sent; drop it again.",
}

# Errors
NOT_FOUND = "There is no such page or file, or it is not yours to see."
REFUSED_TITLE = "Refused"
NOT_FOUND_TITLE = "Not found"
NO_ROLE_TITLE = "No access"
NO_ROLE = (
    "You have no role here. Ask whoever runs the system to give you one of the app roles viewer, owner, operator or "
    "admin, then sign in again."
)
NO_SIGN_IN = (
    "The page is closed: nobody is asked to sign in here. It opens once App Service authentication is on for this app."
)
NO_ANSWER_TITLE = "No answer"
NO_ANSWER = "A service that the page needs does not answer now; nothing was changed. Try again in a minute."
FAULT_TITLE = "A fault"
FAULT = "The page failed. The app's log says why."
WRONG_METHOD = "This can't be done that way."


def files(number: int) -> str:
    """Write a number of files."""
    return f"{number:,} file{'' if number == 1 else 's'}"
