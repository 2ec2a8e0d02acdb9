"""Tools that say that they succeeded: none is believed without its outputs, whole and of this image."""

import pytest

from tests.deploy.pool.task.tool_folder import blobs, profile_of, use_image, use_tool

PRELUDE = """
import os, sys, time, signal, subprocess, threading, zlib
import numpy, tifffile
image, out, stem = sys.argv[1:4]
def labels(shape=(48, 64), name="labels.tif", **how):
    tifffile.imwrite(f"{out}/{name}", numpy.ones(shape, "uint16"), photometric="minisblack", metadata=None, **how)
def table(text="id,area\\n1,81\\n2,81\\n", name="objects.csv"):
    open(f"{out}/{name}", "w").write(text)
def cut(name, share=0.5):
    os.truncate(f"{out}/{name}", int(os.path.getsize(f"{out}/{name}") * share))
def good():
    labels(); table(); print("DONE", flush=True); open(sys.argv[4], "w").write("Complete")
"""
FORBIDDEN = profile_of("imagej").success.forbidden
PROFILE = profile_of(
    "python",
    run={"command": ["{python}", "{project}", "{image}", "{out}", "{stem}", "{done}"], "quiet_seconds": 2},
    success={
        "marker": "DONE",
        "done_text": "Complete",
        "forbidden": ["Could not load", "Exception in thread", *FORBIDDEN],
    },
    causes={"2": "project", "4": "memory", "5": "image"},
    outputs=[
        {"pattern": "*.tif", "role": "labels"},
        {"pattern": "*.csv", "role": "table", "most": 2, "counts": "objects"},
    ],
)
LIES = {
    "does nothing": ("", 81),
    "only says that it is done": ("print('DONE'); open(sys.argv[4], 'w').write('Complete')", 81),
    "says it before it stops": ("print('DONE'); open(sys.argv[4], 'w').write('Complete'); labels()", 81),
    "forgets the labels": ("good(); os.unlink(f'{out}/labels.tif')", 81),
    "forgets the table": ("good(); os.unlink(f'{out}/objects.csv')", 81),
    "never says that it is done": ("labels(); table(); open(sys.argv[4], 'w').write('Complete')", 81),
    "says it within a sentence": ("labels(); table(); print('not DONE'); open(sys.argv[4], 'w').write('Complete')", 81),
    "leaves no done file": ("good(); os.unlink(sys.argv[4])", 81),
    "leaves another done text": ("good(); open(sys.argv[4], 'w').write('Failure')", 81),
    "leaves an empty done file": ("good(); open(sys.argv[4], 'w').close()", 81),
    "leaves a part out": ("print('Could not load MeasureThis: no module'); good()", 84),
    "loses a thread": ("threading.Thread(target=lambda: 1 / 0).start(); time.sleep(0.2); good()", 84),
    "hides that in a long log": ("print('Could not load X')\nfor i in range(9000): print('line', i)\ngood()", 84),
    "does not find its image": ("print('Opener: File not found: x.tif'); good()", 84),
    "can't save its labels": ("print('FileSaver.saveAsTiff: File saving error (IOException):'); good()", 84),
    "has no engine for a script in it": ("print('Could not find JavaScript engine'); good()", 84),
    "cuts its labels": ("good(); cut('labels.tif')", 81),
    "cuts the end of its labels": ("good(); cut('labels.tif', 0.99)", 81),
    "leaves empty labels": ("good(); open(f'{out}/labels.tif', 'w').close()", 81),
    "leaves text for labels": ("good(); open(f'{out}/labels.tif', 'w').write('labels')", 81),
    "leaves a header for labels": ("good(); open(f'{out}/labels.tif', 'wb').write(b'II*\\0\\x08\\0\\0\\0')", 81),
    "makes labels of another size": ("good(); labels((24, 32))", 81),
    "makes too many planes": ("good(); labels((3, 48, 64))", 81),
    "makes too many files": ("good(); table(name='b.csv'); table(name='c.csv')", 81),
    "leaves an empty table": ("good(); table('')", 81),
    "leaves empty lines for a table": ("good(); table('\\n\\n')", 81),
    "cuts a row of its table": ("good(); table('id,area\\n1,81\\n2')", 81),
    "cuts the last value of its table": ("good(); table('id,area\\n1,81\\n2,8')", 81),
    "opens a quote in its table and never ends it": ("good(); table('id,name\\n1,\"a\\n2,b\\n3,c\\n')", 81),
    "leaves nulls for a table": ("good(); table(chr(0) * 400)", 81),
    "leaves nulls below a header": ("good(); table('id,area' + chr(10) + chr(0) * 400 + ',1' + chr(10))", 81),
    "leaves a picture for a table": ("good(); open(f'{out}/objects.csv', 'wb').write(bytes(range(256)) * 9)", 81),
    "leaves a row without an end": ("good(); table('id,' * 6_000_000 + 'x' + chr(10))", 81),
    "links to a file of the node": (
        "good(); os.rename(f'{out}/objects.csv', f'{out}/../a.csv'); os.symlink('../a.csv', f'{out}/objects.csv')",
        81,
    ),
    "links to its image": ("good(); os.unlink(f'{out}/labels.tif'); os.symlink(image, f'{out}/labels.tif')", 81),
    "leaves a pipe": ("good(); os.unlink(f'{out}/objects.csv'); os.mkfifo(f'{out}/objects.csv')", 81),
    "leaves a folder for labels": ("good(); os.unlink(f'{out}/labels.tif'); os.mkdir(f'{out}/labels.tif')", 81),
    "gives a name that leads out": ("good(); os.rename(f'{out}/labels.tif', f'{out}/..;x.tif')", 81),
    "gives the manifest's name": ("good(); os.rename(f'{out}/objects.csv', f'{out}/manifest.json')", 81),
    "runs out of memory and goes on": ("print('MemoryError'); good()", 137),
    "runs out of ImageJ's memory and goes on": ("print('<Out of memory>')\nfor i in range(900): print(i)\ngood()", 137),
    "lacks memory for a new image": ("print('Insufficient Memory: There is not'); good(); sys.exit(3)", 137),
    "blames its project for a want of memory": ("print('<Out of memory>'); good(); sys.exit(2)", 137),
    "runs out of disk and goes on": ("print('OSError: [Errno 28] No space left on device'); good()", 82),
    "ends with its code for a bad project": ("good(); sys.exit(2)", 84),
    "ends with its code for memory": ("good(); sys.exit(4)", 137),
    "ends with its code for a bad image": ("good(); sys.exit(5)", 83),
    "ends with a code of the task script": ("good(); sys.exit(88)", 1),
    "is killed": ("good(); os.kill(os.getpid(), signal.SIGKILL)", 137),
    "crashes": ("good(); os.kill(os.getpid(), signal.SIGSEGV)", 139),
    "waits for ever": ("good(); time.sleep(600)", 1),
    "leaves others at work for it": (
        "late = 'import sys, time; time.sleep(3); open(sys.argv[1], chr(119)).write(chr(97))'\n"
        "subprocess.Popen([sys.executable, '-c', late, f'{out}/objects.csv'])\n"
        "labels(); print('DONE'); open(sys.argv[4], 'w').write('Complete')",
        81,
    ),
}


# Each is a process; the rules themselves are tried in tests/unit/task/test_tool_success.py.
QUICK = {
    "only says that it is done",
    "leaves a part out",
    "cuts its labels",
    "cuts the last value of its table",
    "links to a file of the node",
}


@pytest.mark.parametrize("lie", [lie if lie in QUICK else pytest.param(lie, marks=pytest.mark.slow) for lie in LIES])
def test_a_lie_about_success_is_seen(folder, lie):
    """Whatever a tool says: without whole outputs of this image and every sign of its profile, nothing is published."""
    body, code = LIES[lie]
    use_image(folder, blobs())
    use_tool(folder, PROFILE, PRELUDE + body)
    ended = folder.run()
    assert ended.code == code, ended.printed
    assert folder.report().kind != "SUCCEEDED"
    assert not list((folder.wd / "out").glob("*"))


def test_the_honest_one_is_believed(folder):
    """The same profile, all signs there: the lies above fail for their own reasons."""
    use_image(folder, blobs())
    use_tool(folder, PROFILE, PRELUDE + "good()")
    ended = folder.run()
    assert ended.code == 0, ended.printed
    assert [(one.path, str(one.role)) for one in folder.manifest().outputs][:2] == [
        ("labels.tif", "labels"),
        ("objects.csv", "table"),
    ]
