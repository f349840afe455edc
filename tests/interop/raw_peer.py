"""A seed written by hand that may lie: it serves whatever bytes it is given. (libtorrent checks its own pieces before it sends them.)"""
import socket
import struct
import threading

HANDSHAKE = b"\x13BitTorrent protocol" + bytes(5) + b"\x10\x00\x04"


class RawSeed:
    """Serves `pieces`, a list of bytes, one for each piece of the torrent, to one peer after the other."""

    def __init__(self, infohash, pieces):
        self.infohash = bytes.fromhex(infohash)[:20]
        self.pieces = pieces
        self.connections = 0
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
        have_all, unchoke = struct.pack(">IB", 1, 14), struct.pack(">IB", 1, 1)
        peer.sendall(HANDSHAKE + self.infohash + b"-XX0002-" + bytes(12) + have_all + unchoke)
        while True:
            (length,) = struct.unpack(">I", source.read(4))
            message = source.read(length)
            if message[:1] == b"\x06":
                piece, begin, size = struct.unpack(">III", message[1:])
                peer.sendall(struct.pack(">IBII", 9 + size, 7, piece, begin) + self.pieces[piece][begin:begin + size])
