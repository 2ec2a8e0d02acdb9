"""Sends the files of a microscope's folder to the container `input`: `python -m microscope`."""
