"""iscsiadm's exit codes."""

from __future__ import annotations

from enum import IntEnum


class Code(IntEnum):
    """What iscsiadm exits with, under open-iscsi's names (include/iscsi_err.h, without ISCSI_ERR_)."""

    SUCCESS = 0
    ERR = 1
    SESS_NOT_FOUND = 2
    NOMEM = 3
    TRANS = 4
    LOGIN = 5
    IDBM = 6
    INVAL = 7
    TRANS_TIMEOUT = 8
    INTERNAL = 9
    LOGOUT = 10
    PDU_TIMEOUT = 11
    TRANS_NOT_FOUND = 12
    ACCESS = 13
    TRANS_CAPS = 14
    SESS_EXISTS = 15
    INVALID_MGMT_REQ = 16
    ISNS_UNAVAILABLE = 17
    ISCSID_COMM_ERR = 18
    FATAL_LOGIN = 19
    ISCSID_NOTCONN = 20
    NO_OBJS_FOUND = 21
    SYSFS_LOOKUP = 22
    HOST_NOT_FOUND = 23
    LOGIN_AUTH_FAILED = 24
    ISNS_QUERY = 25
    ISNS_REG_FAILED = 26
    OP_NOT_SUPP = 27
    BUSY = 28
    AGAIN = 29
    UNKNOWN_DISCOVERY_TYPE = 30
    CHILD_TERMINATED = 31
    SESSION_NOT_CONNECTED = 32
    REQ_TIMEDOUT = 33


RETRYABLE = frozenset(
    {
        Code.TRANS,
        Code.TRANS_TIMEOUT,
        Code.PDU_TIMEOUT,
        Code.ISCSID_COMM_ERR,
        Code.ISCSID_NOTCONN,
        Code.AGAIN,
        Code.REQ_TIMEDOUT,
    }
)

_REASONS = {
    Code.SUCCESS: "it went well",
    Code.ERR: "open-iscsi says no more than that it failed",
    Code.SESS_NOT_FOUND: "there is no such session",
    Code.NOMEM: "memory ran out",
    Code.TRANS: "the connection could not be made",
    Code.LOGIN: "the login failed",
    Code.IDBM: "open-iscsi's database could not be read or is locked",
    Code.INVAL: "open-iscsi refuses an argument",
    Code.TRANS_TIMEOUT: "the portal did not answer in time",
    Code.INTERNAL: "iscsid failed inside",
    Code.LOGOUT: "the logout failed",
    Code.PDU_TIMEOUT: "the portal did not take the connection, or stopped answering",
    Code.TRANS_NOT_FOUND: "the kernel module iscsi_tcp is not loaded",
    Code.ACCESS: "only root may do this",
    Code.TRANS_CAPS: "the transport cannot do this",
    Code.SESS_EXISTS: "the session is there already",
    Code.INVALID_MGMT_REQ: "iscsiadm and iscsid are not of one build",
    Code.ISNS_UNAVAILABLE: "iSNS is not available",
    Code.ISCSID_COMM_ERR: "iscsid ended while it was asked",
    Code.FATAL_LOGIN: "the target turned the login down: it is not there, not allowed to this initiator, silent, or "
    "did not prove itself by the secret of mutual CHAP",
    Code.ISCSID_NOTCONN: "iscsid cannot be reached",
    Code.NO_OBJS_FOUND: "there is nothing it would apply to",
    Code.SYSFS_LOOKUP: "sysfs does not show it",
    Code.HOST_NOT_FOUND: "there is no such SCSI host",
    Code.LOGIN_AUTH_FAILED: "the target does not accept the CHAP name or secret, or the initiator name",
    Code.ISNS_QUERY: "the iSNS query failed",
    Code.ISNS_REG_FAILED: "the iSNS registration failed",
    Code.OP_NOT_SUPP: "this open-iscsi cannot do it",
    Code.BUSY: "the session is in use (iscsid.safe_logout)",
    Code.AGAIN: "it failed this time and may work the next",
    Code.UNKNOWN_DISCOVERY_TYPE: "the kind of discovery is not known",
    Code.CHILD_TERMINATED: "a process of iscsiadm's was ended",
    Code.SESSION_NOT_CONNECTED: "the session is not connected",
    Code.REQ_TIMEDOUT: "iscsid did not answer in time",
}


def reason(code: int) -> str:
    """One clause."""
    return _REASONS[Code(code)] if code in _REASONS else f"iscsiadm ended with {code}"
