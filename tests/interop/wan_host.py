"""The internet, as a home sees it: an HTTP tracker on port 8000, which is also what a hostile router may name, and notes who comes.
Or `wan_host.py connect ADDR PORT INFOHASH`: dials a peer and prints the port that it tells."""
import http.server
import socket
import socketserver
import struct
import sys

PROTOCOL = b"\x13BitTorrent protocol" + bytes(5) + b"\x10\x00\x04"
EXTENDED = 20


def say(*words):
    print(*words, flush=True)


def read(peer, length):
    data = b""
    while len(data) < length:
        more = peer.recv(length - len(data))
        if not more:
            raise ConnectionError("closed")
        data += more
    return data


def told_port(peer, infohash):
    """The `p` of the other's extended handshake (BEP 10)."""
    peer.sendall(PROTOCOL + infohash + b"-XX0001-outsideoutsi")
    read(peer, 68)
    while True:
        (length,) = struct.unpack(">I", read(peer, 4))
        message = read(peer, length)
        if message[:2] == bytes([EXTENDED, 0]):
            return message.split(b"1:pi")[1].split(b"e")[0].decode()


class Web(http.server.BaseHTTPRequestHandler):
    def log_message(self, *words):
        pass

    def do_GET(self):
        say("get", self.path)
        body = b"d8:intervali1800e5:peers0:e"
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET


if sys.argv[1:2] == ["connect"]:
    with socket.create_connection((sys.argv[2], int(sys.argv[3])), 20) as connection:
        say("peer says", told_port(connection, bytes.fromhex(sys.argv[4])[:20]))
else:
    socketserver.TCPServer.allow_reuse_address = True
    web = socketserver.ThreadingTCPServer(("20.0.0.2", 8000), Web)  # an HTTPServer asks the DNS for its own name
    say("ready")
    web.serve_forever()
