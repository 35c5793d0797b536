"""The metrics, one file each; every file here is found without being listed."""
