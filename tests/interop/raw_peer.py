"""Peers written by hand, for what libtorrent never does: they lie, flood, stop in the middle. (libtorrent checks its own pieces
before it sends them.)"""
import random
import socket
import struct
import threading

import libtorrent as lt

PROTOCOL = b"\x13BitTorrent protocol"
RESERVED = bytes(5) + b"\x10\x00\x04"  # extension protocol, Fast

CHOKE, UNCHOKE, INTERESTED, NOT_INTERESTED, HAVE, BITFIELD, REQUEST, PIECE, CANCEL, PORT = range(10)
SUGGEST, HAVE_ALL, HAVE_NONE, REJECT, ALLOWED_FAST = range(13, 18)
EXTENDED, HASH_REQUEST, HASHES, HASH_REJECT = range(20, 24)


def message(kind, body=b""):
    return struct.pack(">IB", 1 + len(body), kind) + body


def handshake(infohash, peer_id=None):
    return PROTOCOL + RESERVED + bytes.fromhex(infohash)[:20] + (peer_id or b"-XX0001-" + random.randbytes(12))


class RawPeer:
    """One connection of the peer wire. `offers` are the extended messages that we want: name -> our id; `host` is our address, and
    `listens` the port that we say we listen on."""

    def __init__(self, case, infohash, port=None, accepted=None, offers=None, say=message(HAVE_NONE), host="127.0.0.1", listens=0):
        self.socket = accepted or socket.create_connection(("127.0.0.1", port), source_address=(host, 0))
        case.addCleanup(self.socket.close)
        self.socket.settimeout(20)
        self.theirs = None  # their extended handshake
        self.ids = {}
        self.socket.sendall(handshake(infohash))
        self.read(68)
        if offers is not None:
            names = {name.encode(): number for name, number in offers.items()}
            self.send(EXTENDED, b"\0" + lt.bencode({b"m": names, **({b"p": listens} if listens else {})}))
        self.socket.sendall(say)

    def read(self, length):
        data = b""
        while len(data) < length:
            more = self.socket.recv(length - len(data))
            if not more:
                raise ConnectionError("the other end closed the connection")
            data += more
        return data

    def send(self, kind, body=b""):
        self.socket.sendall(message(kind, body))

    def send_extended(self, name, payload):
        self.send(EXTENDED, bytes([self.ids[name]]) + payload)

    def any(self):
        """The next message: (id, body); a keep-alive is (None, b"")."""
        (length,) = struct.unpack(">I", self.read(4))
        data = self.read(length)
        if data[:2] == b"\x14\0":
            self.theirs = lt.bdecode(data[2:])
            self.ids = {name.decode(): number for name, number in self.theirs[b"m"].items()}
        return (data[0], data[1:]) if data else (None, b"")

    def next(self, *kinds):
        """The next message of one of these kinds."""
        while True:
            kind, body = self.any()
            if kind in kinds:
                return kind, body

    def extended(self, number):
        """The payload of the next extended message with that id."""
        while True:
            body = self.next(EXTENDED)[1]
            if body[0] == number:
                return body[1:]

    def ended(self):
        """Waits until the other end has closed the connection. What it still says is thrown away."""
        try:
            while self.socket.recv(65536):
                pass
        except ConnectionError:
            pass
        return True


class RawSeed:
    """Claims to have `pieces`, a list of bytes, one for each piece of the torrent, and serves them to whoever connects."""

    def __init__(self, infohash, pieces, say=message(HAVE_ALL)):
        self.infohash = infohash
        self.pieces = pieces
        self.say = say
        self.connections = 0
        self.asked = []  # piece and begin of each request
        self.hashes_asked = 0
        self.had = set()  # pieces that those who connected said to have
        self.server = socket.create_server(("127.0.0.1", 0))
        self.address = "127.0.0.1:%d" % self.server.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self):
        self.server.close()

    def _accept(self):
        while True:
            try:
                peer, _ = self.server.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._serve, args=(peer,), daemon=True).start()

    def _serve(self, peer):
        try:
            self._talk(peer, peer.makefile("rb"))
        except (OSError, struct.error):
            pass
        finally:
            peer.close()

    def _talk(self, peer, source):
        source.read(68)
        peer.sendall(handshake(self.infohash) + self.say + message(UNCHOKE))
        while True:
            (length,) = struct.unpack(">I", source.read(4))
            data = source.read(length)
            if data[:1] == bytes([HAVE]):
                self.had.add(struct.unpack(">I", data[1:])[0])
            elif data[:1] == bytes([REQUEST]):
                self.asked.append(struct.unpack(">II", data[1:9]))
                peer.sendall(self.answer(*struct.unpack(">III", data[1:])) or b"")
            elif data[:1] == bytes([HASH_REQUEST]):
                self.hashes_asked += 1
                peer.sendall(self.answer_hashes(data[1:]) or b"")

    def answer(self, piece, begin, size):
        """What is sent for a request; None: nothing."""
        return message(PIECE, struct.pack(">II", piece, begin) + self.pieces[piece][begin:begin + size])

    def answer_hashes(self, request):
        return message(HASH_REJECT, request)
