"""The lab: a SAN and an initiator on a real kernel inside QEMU. Each stage also runs alone (`python -m mpio.lab.…`)."""
