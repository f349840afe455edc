"""Our codecs against stock programs: libtorrent answers and reads the same bytes, a real opentracker takes our datagrams."""
import hashlib
import socket
import struct
import subprocess
import unittest

from lab import BUILD, Lab, lt, wait_for
from raw_peer import HASH_REJECT, HASH_REQUEST, HASHES, RawPeer

PEX, METADATA = 3, 4  # the ids under which we want these messages
OFFERS = {"ut_pex": PEX, "ut_metadata": METADATA}


class Tool:
    """tests/interop/wire_tool.c: a command a line, an answer a line."""

    def __init__(self, case):
        self.process = subprocess.Popen([BUILD / "tests/interop/wire_tool"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        case.addCleanup(self.end)

    def end(self):
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait(10)

    def __call__(self, *words):
        self.process.stdin.write(" ".join(map(str, words)) + "\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().rstrip("\n")


class WithTorrent(unittest.TestCase):
    sizes = {"small.bin": 3 * 16384, "one.bin": 10000}

    def setUp(self):
        self.lab = Lab().__enter__()
        self.addCleanup(self.lab.__exit__, None, None, None)
        for path, size in self.sizes.items():
            self.lab.write(path, size)
        self.lab.publish()
        self.tool = Tool(self)

    def peer(self, session):
        return RawPeer(self, self.lab.infohash, session.listen_port(), offers=OFFERS)


class Hashes(WithTorrent):
    # 29 blocks in 8 pieces, 9 pieces (the layer is padded to 16), and a file of less than one piece.
    sizes = {"a.bin": 28 * 16384 + 1000, "b.bin": 9 * 65536, "small.bin": 3 * 16384, "one.bin": 10000}

    def ours(self, root, *numbers):
        return self.tool("hash-answer", self.lab.torrent, self.lab.static, root.hex(), *numbers)

    @staticmethod
    def theirs(peer, root, numbers):
        peer.send(HASH_REQUEST, root + struct.pack(">4I", *numbers))
        kind, body = peer.next(HASHES, HASH_REJECT)
        return "error" if kind == HASH_REJECT else body[48:].hex()

    def requests(self, height, piece_level):
        """Blocks a piece at a time, the piece layer in any power of two; each with every proof, and one too long."""
        for base in {0, piece_level} - {height}:
            for log in [2] if base == 0 else range(1, height - base + 1):
                for index in range(0, 1 << height - base, 1 << log):
                    yield from ((base, index, 1 << log, proof) for proof in range(height - base + 1))

    def test_we_answer_as_libtorrent_does(self):
        session, _ = self.lab.libtorrent(self.lab.web, seed=True)
        peer = self.peer(session)
        storage = lt.torrent_info(str(self.lab.torrent)).files()
        roots = {storage.file_path(i): storage.root(i).to_bytes() for i in range(storage.num_files())}
        answered = 0
        for path, height in {"a.bin": 5, "b.bin": 6, "small.bin": 2}.items():
            root = roots[f"static/{path}"]
            for numbers in self.requests(height, min(height, 2)):
                ours, theirs = self.ours(root, *numbers), self.theirs(peer, root, numbers)
                base, index, *_ = numbers
                if base == 0 and index >= -(-self.sizes[path] // 65536) * 4:
                    self.assertEqual(ours, "error range", (path, numbers))  # libtorrent answers with the padding itself
                    continue
                self.assertEqual(ours.split()[0], theirs, (path, numbers))
                answered += theirs != "error"
        self.assertGreater(answered, 100)


class Extended(WithTorrent):
    def test_libtorrent_gives_its_info_by_ut_metadata(self):
        session, _ = self.lab.libtorrent(self.lab.web, seed=True)
        peer = self.peer(session)
        peer.extended(0)
        info, total = b"", 1
        while len(info) < total:
            peer.send_extended("ut_metadata", bytes.fromhex(self.tool("metadata-request", len(info) // 16384)))
            kind, piece, size, data = self.tool("metadata-decode", peer.extended(METADATA).hex()).split()
            self.assertEqual((int(kind), int(piece)), (1, len(info) // 16384))
            info, total = info + bytes.fromhex(data), int(size)
        self.assertEqual(hashlib.sha256(info).hexdigest(), self.lab.infohash)
        peer.send_extended("ut_metadata", bytes.fromhex(self.tool("metadata-request", 99)))
        self.assertEqual(self.tool("metadata-decode", peer.extended(METADATA).hex()).split()[:2], ["2", "99"])

    def test_peers_are_exchanged_both_ways(self):
        session, handle = self.lab.libtorrent(self.lab.dir / "leech")
        wait_for("libtorrent to begin", lambda: handle.status().state == lt.torrent_status.downloading)
        listener = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(listener.close)
        listener.settimeout(30)
        address = f"127.0.0.1:{listener.getsockname()[1]}"
        first = self.peer(session)
        first.extended(0)
        first.send_extended("ut_pex", bytes.fromhex(self.tool("pex-encode", address)))
        dialled = RawPeer(self, self.lab.infohash, accepted=listener.accept()[0], offers=OFFERS)
        dialled.extended(0)
        # Who comes later is told of the one that libtorrent has dialled; each peer hears at most once a minute.
        second = self.peer(session)
        second.extended(0)
        self.assertIn(address, self.tool("pex-decode", second.extended(PEX).hex()).split()[1:])


class UdpTracker(WithTorrent):
    def setUp(self):
        super().setUp()
        self.address = ("127.0.0.1", int(self.lab.tracker().rsplit(":", 1)[1].split("/")[0]))
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.addCleanup(self.socket.close)
        self.socket.settimeout(10)

    def ask(self, datagram):
        self.socket.sendto(bytes.fromhex(datagram), self.address)
        return self.tool("udp-decode", 4, self.socket.recv(4096).hex()).split()

    def announce(self, connection, port, event):
        return self.ask(self.tool("udp-announce", connection, 7, self.lab.infohash[:40], port, event))

    def test_opentracker_takes_our_datagrams(self):
        action, transaction, connection, *_ = self.ask(self.tool("udp-connect", 5))
        self.assertEqual((action, transaction), ("0", "5"))
        self.announce(connection, 1111, 2)
        reply = self.announce(connection, 2222, 2)
        self.assertEqual(reply[:2], ["1", "7"])
        self.assertIn("127.0.0.1:1111", reply[6:])
        self.assertEqual(reply[5], "2")  # leechers
        self.assertGreaterEqual(int(reply[3]), 60)
        # Who stops is forgotten.
        self.announce(connection, 1111, 3)
        self.assertNotIn("127.0.0.1:1111", self.announce(connection, 2222, 0)[6:])


class LocalDiscovery(WithTorrent):
    group = ("239.192.152.143", 6771)

    def setUp(self):
        super().setUp()
        loopback = socket.inet_aton("127.0.0.1")
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.addCleanup(self.socket.close)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(("", self.group[1]))
        self.socket.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, socket.inet_aton(self.group[0]) + loopback)
        self.socket.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, loopback)
        self.socket.settimeout(20)

    def test_libtorrent_and_we_read_each_other(self):
        session, _ = self.lab.libtorrent(self.lab.dir / "leech", settings={"enable_lsd": True})
        heard = self.tool("lsd-parse", self.socket.recv(2000).hex()).split()
        self.assertEqual(heard, [str(session.listen_port()), self.lab.infohash[:40]])
        listener = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(listener.close)
        listener.settimeout(30)
        datagram = self.tool("lsd-format", listener.getsockname()[1], self.lab.infohash[:40], "a1b2")
        self.socket.sendto(bytes.fromhex(datagram), self.group)
        RawPeer(self, self.lab.infohash, accepted=listener.accept()[0], offers=OFFERS)


if __name__ == "__main__":
    unittest.main()
