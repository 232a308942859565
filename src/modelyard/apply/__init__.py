"""The only room that changes the disk: every change is journalled before and after, and can be undone until purged."""
