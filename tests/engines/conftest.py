"""Nothing in this folder is a test; what pytest imported here would be there twice, under a second name."""

collect_ignore_glob = ["*.py"]
