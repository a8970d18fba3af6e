"""Where alerts go to in a guest: `endpoints.py http|smtp|deaf PORT FILE`. A line of JSON in FILE for each message."""

from __future__ import annotations

import http.server
import json
import socket
import socketserver
import sys
import time


def keep(message: object) -> None:
    with open(sys.argv[3], "a", encoding="utf-8") as file:  # noqa: PTH123
        file.write(json.dumps([time.time(), message]) + "\n")


class Web(http.server.BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        keep(json.loads(self.rfile.read(int(self.headers["content-length"]))))
        self.send_response(200)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Its URLs are secrets."""


class Mail(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        self.wfile.write(b"220 here\r\n")
        text: list[str] = []
        while line := self.rfile.readline():
            word = line[:4].upper().strip()
            if word == b"DATA":
                self.wfile.write(b"354 go on\r\n")
                while (one := self.rfile.readline()) not in (b".\r\n", b""):
                    text.append(one.decode())
                keep("".join(text))
            self.wfile.write(b"221 bye\r\n" if word == b"QUIT" else b"250 fine\r\n")


def main() -> None:
    kind, port = sys.argv[1], int(sys.argv[2])
    if kind == "deaf":
        with socket.create_server(("127.0.0.1", port)) as server:
            kept = [server.accept()[0] for _ in range(100)]
            kept.clear()
    elif kind == "http":
        http.server.ThreadingHTTPServer(("127.0.0.1", port), Web).serve_forever()
    else:
        socketserver.ThreadingTCPServer(("127.0.0.1", port), Mail).serve_forever()


if __name__ == "__main__":
    main()
