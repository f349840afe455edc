"""A client of the daemon's control socket for tests and benches (host/PROTOCOL.md, section 2)."""
import json
import socket
import struct


class Control:
    def __init__(self, path, timeout=60):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.settimeout(timeout)
        self.socket.connect(str(path))
        self.last = 0

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def send_raw(self, data):
        self.socket.sendall(data)

    def send(self, message):
        text = json.dumps(message).encode()
        self.send_raw(struct.pack("=I", len(text)) + text)

    def _take(self, length):
        data = b""
        while len(data) < length:
            part = self.socket.recv(length - len(data))
            if not part:
                raise ConnectionError("the daemon closed the connection")
            data += part
        return data

    def receive(self):
        return json.loads(self._take(struct.unpack("=I", self._take(4))[0]))

    def request(self, type, **fields):
        """Sends one request and returns its answer; events on the way are dropped."""
        self.last += 1
        self.send({"id": self.last, "type": type, **fields})
        while True:
            message = self.receive()
            if message.get("id") == self.last:
                return message
