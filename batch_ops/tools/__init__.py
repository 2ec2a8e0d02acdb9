"""The tools that a project may be for, each with its profile, and what is asked of their projects."""
