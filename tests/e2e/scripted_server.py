"""A server of HTTP that answers by a script and keeps what it was sent, byte for byte."""

import json
import socket
import threading
from typing import NamedTuple


class Request(NamedTuple):
    line: str  # "POST /repos/o/r/pulls HTTP/1.1"
    headers: dict  # names in lower case
    body: bytes

    @property
    def target(self):
        return " ".join(self.line.split()[:2])

    def json(self):
        return json.loads(self.body)


class ScriptedServer:
    """Each request is answered with the next of `answers`: (status, body, *headers), the body JSON unless it is bytes; or with what
    a function of the requests so far answers."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        self.answers = []
        self.requests = []
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self):
        self.listener.close()

    def _serve(self):
        while True:
            try:
                peer, _ = self.listener.accept()
            except OSError:
                return
            with peer:
                try:
                    self.requests.append(self._read(peer))
                    peer.sendall(self._answer())
                except OSError:
                    pass  # the client has had enough

    def _answer(self):
        answer = self.answers.pop(0) if self.answers else (500, {"message": "no more answers in the script"})
        status, body, *headers = answer(self.requests) if callable(answer) else answer
        text = body if isinstance(body, bytes) else json.dumps(body).encode()
        lines = [f"HTTP/1.1 {status} X", "Content-Type: application/json; charset=utf-8", f"Content-Length: {len(text)}", "Connection: close", *headers]
        return "\r\n".join(lines).encode() + b"\r\n\r\n" + text

    @staticmethod
    def _read(peer):
        data = b""
        while b"\r\n\r\n" not in data:
            data += peer.recv(65536)
        head, _, body = data.partition(b"\r\n\r\n")
        line, *lines = head.decode().split("\r\n")
        headers = {name.lower(): value for name, _, value in (each.partition(": ") for each in lines)}
        while len(body) < int(headers.get("content-length", 0)):
            body += peer.recv(65536)
        return Request(line, headers, body)
