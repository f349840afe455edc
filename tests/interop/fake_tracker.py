"""Trackers written by hand: they answer what they are told to and remember what they heard; and a server of raw bytes."""
import http.server
import socket
import struct
import threading
import urllib.parse

import libtorrent as lt


def compact(*addresses):
    """host:port, IPv4 -> the `peers` of BEP 23."""
    return b"".join(socket.inet_aton(host) + int(port).to_bytes(2, "big") for host, port in (a.split(":") for a in addresses))


class FakeTracker:
    """`announces` are the queries in order, as dictionaries of text; `answer` makes the reply's body from one."""

    def __init__(self, case, answer=None, status=200, headers=(), address=("127.0.0.1", 0)):
        tracker = self
        self.announces = []
        self.answer = answer or (lambda query: lt.bencode({b"interval": 1800, b"peers": b""}))

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                pairs = (pair.partition("=") for pair in self.path.partition("?")[2].split("&"))
                query = {name: urllib.parse.unquote(value, "latin-1") for name, _, value in pairs}
                tracker.announces.append(query)
                body = tracker.answer(query)
                self.send_response(status)
                for name, value in headers:
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        class Server(http.server.ThreadingHTTPServer):
            address_family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET

        self.server = Server(address, Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        case.addCleanup(self.server.server_close)
        case.addCleanup(self.server.shutdown)
        self.url = f"http://127.0.0.1:{self.server.server_port}/announce"

    def events(self):
        return [query.get("event", "") for query in self.announces]


class RawServer:
    """Each connection goes to talk(socket), in a thread of its own, after the request's head has been read."""

    def __init__(self, case, talk):
        self.connections = 0
        self.talk = talk
        self.server = socket.create_server(("127.0.0.1", 0))
        case.addCleanup(self.server.close)
        self.url = f"http://127.0.0.1:{self.server.getsockname()[1]}/announce"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                client, _ = self.server.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client):
        try:
            head = b""
            while b"\r\n\r\n" not in head:
                more = client.recv(4096)
                if not more:
                    return
                head += more
            self.talk(client)
        except OSError:
            pass
        finally:
            client.close()


class FakeUdpTracker:
    """BEP 15. For each datagram answer(head, datagram) gives the list of those that are sent back; head is (action, transaction) and
    `other` a socket of another address."""

    def __init__(self, case, answer, address=("127.0.0.1", 0)):
        self.answer = answer
        self.heard = []
        family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        self.socket, self.other = (socket.socket(family, socket.SOCK_DGRAM) for _ in range(2))
        case.addCleanup(self.socket.close)
        case.addCleanup(self.other.close)
        self.socket.bind(address)
        self.url = f"udp://127.0.0.1:{self.socket.getsockname()[1]}/announce"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            try:
                datagram, self.asker = self.socket.recvfrom(4096)
            except OSError:
                return
            self.heard.append(datagram)
            for reply in self.answer(struct.unpack(">II", datagram[8:16]), datagram):
                self.socket.sendto(reply, self.asker)

    @staticmethod
    def reply(action, transaction, body):
        return struct.pack(">II", action, transaction) + body
