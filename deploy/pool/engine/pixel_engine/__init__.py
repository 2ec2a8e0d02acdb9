"""Headless Pixel Classification from a real ilastik project: ilastik's pixels by other code.

Reads `.ilp` projects and HDF5 images, writes what ilastik would write: the same pixels, file names, axes and
metadata. It is never kinder than ilastik: what ilastik refuses, this refuses too, in a sentence.

    command.py    the command line -> a frozen Command
    project.py    the .ilp: features, labels, forests, training axes
    inputs.py     the image: path, dataset, axes, reading regions
    axes.py       axis tags and the five-dimensional view all else works on
    settings.py   LAZYFLOW_THREADS, LAZYFLOW_TOTAL_RAM_MB
    features.py   which filters, at which scales, in which order
    kernels.py    the Gaussian kernels they use
    forest.py     vigra's random forests as stored; their decisions as tables
    native.py     the compiled kernel (native/*.c, made by build.py)
    blocks.py     how a volume is cut up so that it fits into memory
    predict.py    segmentation or probabilities of one volume
    export.py     names and axes of the output; export_tiff.py, export_hdf5.py write it
    batch.py      one command, several inputs
    identity.py   which engine this is, for those who certify it (`--identity`)
"""
