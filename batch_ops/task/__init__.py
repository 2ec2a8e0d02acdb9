"""What travels to the node: the contract of a task. Standard library only, Python 3.9."""
