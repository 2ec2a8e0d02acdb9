"""Which classes are objects: named by somebody, or all but a class that is called background."""

import pytest

from batch_ops.domain.foreground import objects_wanted, what_was_counted
from batch_ops.domain.project_config import ConfigError, ProjectConfig, parse
from batch_ops.task.objects import COMPONENTS, PARTS, ClassCount, CountedClass, ObjectCounts, ObjectsWanted
from batch_ops.task.run_plan import RunPlan, RunWarning, ToolChoice

SEGMENTATION = "Simple Segmentation"


def labels(classes: list[str], config: ProjectConfig = ProjectConfig()) -> list[int]:  # noqa: B008
    wanted, _ = objects_wanted(classes, config, SEGMENTATION)
    return [one.label for one in wanted.classes] if wanted else []


@pytest.mark.parametrize(
    ("classes", "expected"),
    [
        (["Cell", "Background"], [1]),
        (["Hintergrund", "Zelle", "Kern"], [2, 3]),
        (["background 1", "BG", "cell"], [3]),
        (["背景", "核"], [2]),
        (["Cell", "Nucleus"], []),
        (["small", "medium", "large"], []),
        (["solid", "void"], []),
        (["Label 1", "Label 2"], []),
        (["Background"], []),
    ],
)
def test_all_but_a_class_that_is_called_background(classes, expected):
    """In the field's languages; the order of labels says nothing."""
    assert labels(classes) == expected


def test_where_no_class_is_background_nothing_is_counted():
    """A warning says what to write, with the names of the classes."""
    wanted, [warning] = objects_wanted(["Cell", "Nucleus"], ProjectConfig(), SEGMENTATION)
    assert wanted is None
    assert warning.code == "no-counts"
    assert '"objects": {"classes": [...]} with those of "Cell", "Nucleus"' in warning.sentence


def test_the_configuration_names_classes_by_name_or_number():
    """Each once; its other wishes go along."""
    of_objects = '{"classes": ["nucleus", 2, 1], "min_size": 5, "split": "distance", "label_image": true}'
    config = parse("p.json", f'{{"objects": {of_objects}, "pixel_size_um": [1, 0.5, 0.5]}}'.encode())
    wanted, warnings = objects_wanted(["Cell", "Nucleus", "x"], config, SEGMENTATION)
    classes = (CountedClass(1, "Cell"), CountedClass(2, "Nucleus"))
    assert wanted == ObjectsWanted(classes, 5, (1, 0.5, 0.5), "distance", label_image=True)
    assert ObjectsWanted.from_json(wanted.to_json()) == wanted
    assert warnings == ()


def test_a_class_that_the_classifier_lacks_is_a_warning():
    """The others are counted."""
    wanted, [warning] = objects_wanted(
        ["Cell", "x"], parse("p.json", b'{"objects": {"classes": [1, "Kern"]}}'), SEGMENTATION
    )
    assert wanted == ObjectsWanted((CountedClass(1, "Cell"),))
    assert "Kern" in warning.sentence


def test_nothing_is_counted_where_nobody_wants_it_or_nothing_is_segmented():
    """An empty list of classes; probabilities hold no objects. Neither is worth a warning."""
    assert objects_wanted(["Cell", "x"], parse("p.json", b'{"objects": {"classes": []}}'), SEGMENTATION) == (None, ())
    assert objects_wanted(["Cell", "x"], ProjectConfig(), "Probabilities") == (None, ())


@pytest.mark.parametrize(
    "text",
    [
        '{"objects": []}',
        '{"objects": {"class": ["Cell"]}}',
        '{"objects": {"classes": "Cell"}}',
        '{"objects": {"classes": [true]}}',
        '{"objects": {"classes": [0]}}',
        '{"objects": {"classes": ["a\\u0000b"]}}',
        '{"objects": {"min_size": -1}}',
        '{"objects": {"min_size": 1e400}}',
        '{"objects": {"min_size": "5"}}',
        '{"objects": {"label_image": "yes"}}',
        '{"pixel_size_um": [1, 1]}',
        '{"pixel_size_um": [1, 0, 1]}',
        '{"pixel_size_um": [1, NaN, 1]}',
        '{"pixel_size_um": 0.5}',
        '{"per_plane": 1}',
        '{"per_plane": true, "keep_export_settings": true}',
        '{"keep_export_settings": "yes"}',
        '{"engine": "faster"}',
        '{"output": "png"}',
        '{"output": "hdf5", "palette": true}',
        '{"settle_seconds": -1}',
        '{"settle_seconds": "60"}',
        '{"palette": "yes"}',
        '{"palette": true, "export_source": "Uncertainty"}',
        '{"internal_path": "t{t}/img{t}"}',
    ],
)
def test_a_configuration_that_means_nothing_is_refused(text):
    """By the name of the key."""
    with pytest.raises(
        ConfigError, match=r"objects|pixel_size_um|per_plane|internal_path|keep_export|engine|output|palette|settle"
    ):
        parse("p.json", text.encode())


@pytest.mark.parametrize(
    ("tool", "split", "warned", "least", "said"),
    [
        ("", "", (), 0, COMPONENTS),
        ("", "", (), 2.5, f"{COMPONENTS}; those of at least 2.5 um2"),
        ("", "distance", (), 0, PARTS),
        ("", "distance", (RunWarning("not-split", "It is too large."),), 0, COMPONENTS),
        ('{"name": "imagej"}', "", (), 0, "rows of the tool's tables"),
    ],
)
def test_what_counts_are_is_said_with_them(tool, split, warned, least, said):
    """Components, their parts where they could be parted, or what another tool has counted; and from which size on."""
    counts = ObjectCounts("um2", least, (ClassCount(1, "Cell", (3,), (9.0,)),))
    objects = ObjectsWanted((CountedClass(1, "Cell"),), split=split)
    assert (
        what_was_counted(counts, RunPlan(tool=ToolChoice(tool_profile=tool), objects=objects, warnings=warned)) == said
    )
