"""What a node does: fetch files, run processes, upload outputs."""
