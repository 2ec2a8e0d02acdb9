"""A pool under an arrival trace, steered by an autoscale formula: hours in milliseconds, from a seed.

What it leaves out: image and package downloads as such (they are in the node start time), quota, nodes that
become unusable while they work, the time to remove a node, job priorities, retained data (as task completion).
A node that waits for its tasks to end stays outside the target and is not taken back when the target grows again.
"""
