"""Linux iSCSI multipath from one site file: set up, prove, watch."""

__version__ = "0.1.0"
