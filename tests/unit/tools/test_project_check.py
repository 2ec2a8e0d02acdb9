"""Macros and scripts that can't run: refused by name before a machine is paid for."""

import time

import pytest

from batch_ops.tools.profiles import shipped
from batch_ops.tools.project_check import fault_of_project
from tests.structure import REPOSITORY

TOOLS = {profile.name: profile for profile in shipped().profiles}
MACRO = 'open(split(getArgument(), "|")[0]);\n{}\nprint("DONE");\n'


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ('Dialog.create("Choose");', "opens a dialog, which nobody would answer (line 2: Dialog.create)"),
        ("Dialog . show();", "opens a dialog"),
        ('waitForUser("Look");', "opens a dialog"),
        ('if (getBoolean("Go on?")) run("Invert");', "opens a dialog"),
        ('size = getNumber("Size", 5);', "opens a dialog"),
        ('showMessage("Done");', "opens a dialog"),
        ('folder = getDirectory("Choose a folder");', "asks for a file or a folder"),
        ('open("/cells/anna.tif");', "names a path of another computer"),
        ('saveAs("Results", "/Users/anna/cells.csv");', "names a path of another computer"),
        ('open("D:/cells.tif");', "names a path of another computer"),
        ('open("\\\\\\\\server\\\\cells.tif");', "names a path of another computer"),
        ("open();", "asks for a file or a folder"),
        ('open("/home/anna/cells.tif");', "names a path of another computer"),
        ('saveAs("Tiff", "C:\\\\results\\\\a.tif");', "names a path of another computer"),
    ],
)
def test_a_macro_that_would_wait_or_look_elsewhere_is_refused(line, says):
    """It would wait for ever, or find nothing; the sentence names the project, the reason and the line."""
    fault = fault_of_project(TOOLS["imagej"], "lab.ijm", MACRO.format(line).encode())
    assert fault.startswith("The project 'lab.ijm' ")
    assert says in fault


@pytest.mark.parametrize(
    "line",
    [
        '// Dialog.create("Choose");',
        '/* waitForUser("Look");\nopen("/home/x"); */',
        'print("http://imagej.net");',
        'temp = getDirectory("temp");',
        'run("Divide...", "value=2");',
        "myDialog = 1;",
        'saveAs("Results", out + "/cells.csv");',
        'label = Table.getString("Label", 0);',
        'k = Property.getNumber("k");',
        'path = replace(path, "\\\\", "/");',
        'print("x:\\n");',
        'path = replace(path, "/raw/", "/made/");',
    ],
)
def test_what_only_looks_like_it_is_not_refused(line):
    """Comments, addresses, the folders that every ImageJ knows."""
    assert not fault_of_project(TOOLS["imagej"], "lab.ijm", MACRO.format(line).encode())


def test_a_macro_has_to_say_that_it_ran_to_its_end():
    """After an error some macros run on, others stop without a word."""
    fault = fault_of_project(TOOLS["imagej"], "lab.ijm", b'open("a.tif");\n// print("DONE");\n')
    assert 'does not end with print("DONE")' in fault


@pytest.mark.parametrize(
    ("content", "says"),
    [(b" \n", "is empty"), (b"\xff\xfe\x00", "is no text in UTF-8"), (b"print(1)\0", "holds null characters")],
)
def test_what_is_no_text_is_refused(content, says):
    """For every tool."""
    assert says in fault_of_project(TOOLS["python"], "lab.py", content)


def test_a_hostile_name_is_no_markup_of_the_sentence():
    """Line ends and escape codes in it are shown, not obeyed."""
    fault = fault_of_project(TOOLS["python"], "a\n\x1b[31m.py", b"")
    assert fault.isprintable()


@pytest.mark.parametrize("name", sorted(TOOLS))
def test_the_samples_can_be_run(name):
    """Those of the demo."""
    profile = TOOLS[name]
    sample = REPOSITORY / f"local_cloud/sample_data/default{profile.suffix}"
    assert not fault_of_project(profile, sample.name, sample.read_bytes())


@pytest.mark.parametrize("name", sorted(TOOLS))
def test_no_project_keeps_the_app_from_its_work(name):
    """The check takes a time in proportion to the text, however odd: it is on the loop that serves everybody."""
    profile = TOOLS[name]
    odd = [
        '\\"',
        '"',
        "'",
        "\\",
        "/*",
        "//",
        "\n",
        " ",
        " \n",
        "open (",
        'print(" ',
        '"/a',
        "#@ ",
        " x",
        "a" * 99 + "(",
    ]
    begun = time.process_time()
    for unit in odd:
        text = unit * (2**16 // len(unit))
        fault_of_project(profile, "lab", b"x" + text.encode())
    assert time.process_time() - begun < 5


def test_a_pipeline_of_unknown_parts_has_a_short_sentence():
    """The first of them are named."""
    text = "CellProfiler Pipeline: x\nExportToSpreadsheet:[module_num:1|\n"
    text += "".join(f"Unknown{number}:[module_num:2|\n" for number in range(9000))
    fault = fault_of_project(TOOLS["cellprofiler"], "lab.cppipe", text.encode())
    assert "does not have: Unknown0, Unknown1, " in fault
    assert len(fault) < 500


def test_a_text_without_its_end_hides_no_line_below():
    """Nor does a comment within a text."""
    macro = 'a = "/*;\nwaitForUser("Look");\nprint("DONE");\n'
    assert "opens a dialog" in fault_of_project(TOOLS["imagej"], "lab.ijm", macro.encode())
