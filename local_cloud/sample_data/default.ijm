// Counts bright objects in each plane: labels as a TIFF, and a table with a row for each object.
// The one argument is IMAGE|OUT|STEM; the last line says that the macro ran to its end.
given = split(getArgument(), "|");
image = given[0];
out = given[1] + File.separator;
stem = given[2];

setBatchMode(true);
open(image);
if (nImages == 0) exit("The image can't be opened.");
getDimensions(width, height, channels, slices, frames);
planes = nSlices;
rename("raw");
run("Set Scale...", "distance=0 known=0 unit=pixel");
run("Duplicate...", "title=mask duplicate");
selectWindow("mask");
setOption("BlackBackground", true);
if (planes > 1) {
  setAutoThreshold("Otsu dark stack");
  run("Convert to Mask", "method=Otsu background=Dark black");
} else {
  setAutoThreshold("Otsu dark");
  run("Convert to Mask");
}
run("Fill Holes", "stack");
run("Watershed", "stack");
run("Set Measurements...", "area mean centroid stack redirect=raw decimal=3");
run("Analyze Particles...", "size=20-Infinity pixel show=[Count Masks] clear stack");
saveAs("Tiff", out + stem + ".tif");
saveAs("Results", out + "objects.csv");
print("DONE");
