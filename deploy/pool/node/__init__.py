"""What a task does on a node, run by the node's own Python; on nodes of older pools by ilastik's 3.9."""
