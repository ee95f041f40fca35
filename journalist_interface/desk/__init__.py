"""The desk: the offline workstation's pages, the one place where a report is opened."""
