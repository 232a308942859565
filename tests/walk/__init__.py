"""The disk walker, checked against slow truths and against the disk itself."""
