"""A hostile peer's wire against the real daemon: whatever comes, it stays alive, serves an honest peer meanwhile, keeps its memory
bounded, and says once what it did not like."""
import itertools
import random
import socket
import struct
import threading
import unittest

from lab import Lab, WithSite, lt, wait_for
from raw_peer import (ALLOWED_FAST, BITFIELD, CANCEL, CHOKE, EXTENDED, HASH_REJECT, HASH_REQUEST, HASHES, HAVE, HAVE_ALL, HAVE_NONE,
                      INTERESTED, NOT_INTERESTED, PIECE, PORT, PROTOCOL, REJECT, REQUEST, SUGGEST, UNCHOKE, RawPeer, RawSeed, handshake,
                      message)

BLOCK = 16384
KEEP_ALIVE = bytes(4)


def u32(*numbers):
    return struct.pack(f">{len(numbers)}I", *numbers)


def claim(piece=0, count=1, hops=0, ms=1000):
    """fringe_claim (PROTOCOL.md 4.7), of somebody unknown."""
    return struct.pack(">4BI", 1, 0, hops, count, 1) + b"-XX0001-somebodyelse" + struct.pack(">IHH", piece, 1, ms)


class WithServer(WithSite):
    """One daemon for all tests of a class, complete and sharing. Each hostile peer has an address of its own on loopback: so each
    is judged, and logged, for itself."""

    sizes = {"a.bin": 300_000, "b.bin": 10, "c/big.bin": 1_500_000}

    @classmethod
    def setUpClass(cls):
        cls.lab = Lab().__enter__()
        cls.addClassCleanup(cls.lab.__exit__, None, None, None)
        cls.files = {path: cls.lab.write(path, size) for path, size in cls.sizes.items()}
        cls.lab.publish()
        cls.lab.origin()
        cls.daemon = cls.lab.daemon("ours")
        cls.daemon.visit(cls.lab.site, [f"/static/{path}" for path in cls.files])
        cls.hosts = (f"127.0.{i // 250}.{i % 250 + 1}" for i in itertools.count(100))

    def setUp(self):
        self.host = next(self.hosts)

    def connect(self):
        peer = socket.create_connection(("127.0.0.1", self.daemon.port), timeout=30, source_address=(self.host, 0))
        self.addCleanup(peer.close)
        return peer

    def peer(self, **more):
        return RawPeer(self, self.lab.infohash, self.daemon.port, host=self.host, **more)

    @property
    def ids(self):
        """The daemon's numbers for extended messages."""
        peer = RawPeer(self, self.lab.infohash, self.daemon.port, host=next(self.hosts), offers={})
        peer.extended(0)
        peer.socket.close()
        return peer.ids

    def honest_visitor(self, pieces=(0,)):
        """Somebody else gets what it asks for."""
        peer = RawPeer(self, self.lab.infohash, self.daemon.port, host=next(self.hosts))
        peer.send(INTERESTED)
        peer.next(UNCHOKE)
        whole = self.pieces()
        for piece in pieces:
            peer.send(REQUEST, u32(piece, 0, BLOCK))
            self.assertEqual(peer.next(PIECE)[1], u32(piece, 0) + whole[piece][:BLOCK])
        peer.socket.close()

    def complaints(self):
        return [line for line in self.daemon.text().splitlines() if f"peer {self.host}:" in line]

    def assert_refused(self, peer, why):
        """It was cut off, and the log has one line that says why."""
        self.assertTrue(peer.ended())
        wait_for("a line in the log", self.complaints)
        self.assertEqual(len(self.complaints()), 1, self.complaints())
        self.assertIn(why, self.complaints()[0])

    def assert_still_talking(self, peer):
        """It was not cut off: it still gets an answer."""
        peer.send(INTERESTED)
        peer.send(REQUEST, u32(0, 0, 2 * BLOCK))  # over a block: always rejected
        while peer.next(REJECT)[1] != u32(0, 0, 2 * BLOCK):
            pass


class BeforeTheHandshake(WithServer):
    def test_garbage_is_logged_once(self):
        for _ in range(5):
            peer = self.connect()
            peer.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" + bytes(100))
            self.assertEqual(peer.makefile("rb").read(1), b"")
        self.assertEqual(len(self.complaints()), 1)
        self.assertIn("does not speak BitTorrent", self.complaints()[0])
        self.honest_visitor()

    def test_unknown_info_hash(self):
        for _ in range(3):
            peer = self.connect()
            peer.sendall(handshake("00" * 32))
            self.assertEqual(peer.makefile("rb").read(1), b"")
        self.assertEqual(len(self.complaints()), 1)
        self.assertIn("a torrent that is not shared here", self.complaints()[0])

    def test_messages_without_a_handshake(self):
        for data in (message(INTERESTED), KEEP_ALIVE * 30, message(REQUEST, u32(0, 0, BLOCK)), message(HAVE_ALL) * 20):
            peer = self.connect()
            peer.sendall(data)
            self.assertEqual(peer.makefile("rb").read(1), b"")
        self.assertEqual(len(self.complaints()), 1)

    def test_one_byte_at_a_time(self):
        peer = self.connect()
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in handshake(self.lab.infohash) + message(HAVE_NONE) + message(INTERESTED):
            peer.sendall(bytes([byte]))
        said = peer.makefile("rb")
        self.assertEqual(said.read(68)[:20], PROTOCOL)
        self.assertTrue(said.read(5))
        self.assertEqual(self.complaints(), [])

    def test_many_that_say_nothing(self):
        """Half-open connections take no place from who has something to say; they go after a while."""
        silent = [self.connect() for _ in range(150)]
        self.honest_visitor()
        for peer in silent:
            peer.settimeout(30)
            self.assertEqual(peer.recv(100), b"")

    def test_our_own_id_and_a_second_connection(self):
        first = self.peer()
        for _ in range(3):
            twin = self.connect()
            twin.sendall(handshake(self.lab.infohash, b"-XX0001-twintwintwin"))
        echo = self.connect()
        echo.sendall(handshake(self.lab.infohash))
        ours = echo.makefile("rb").read(68)[48:]
        mirror = self.connect()
        mirror.sendall(handshake(self.lab.infohash, ours) + message(HAVE_ALL))
        self.assertLessEqual(len(mirror.makefile("rb").read()), 68, "it talks with itself")
        self.assertIsNotNone(first)
        self.honest_visitor()


class Messages(WithServer):
    root = bytes(32)

    def test_wrong_lengths(self):
        """Each message with one byte less and one more than it has; the last ones have a range."""
        exact = {CHOKE: 0, UNCHOKE: 0, INTERESTED: 0, NOT_INTERESTED: 0, HAVE: 4, REQUEST: 12, CANCEL: 12, PORT: 2, SUGGEST: 4, HAVE_ALL: 0,
                 HAVE_NONE: 0, REJECT: 12, ALLOWED_FAST: 4, HASH_REQUEST: 48, HASH_REJECT: 48}
        wrong = [(kind, length + by) for kind, length in exact.items() for by in (-1, 1) if length + by >= 0]
        wrong += [(PIECE, 8), (PIECE, 8 + BLOCK + 1), (EXTENDED, 0), (HASHES, 48), (HASHES, 48 + 31), (BITFIELD, 0), (BITFIELD, 999)]
        for kind, length in wrong:
            with self.subTest(kind=kind, length=length):
                self.host = next(self.hosts)
                peer = self.peer(say=b"")
                peer.send(kind, bytes(length))
                self.assert_refused(peer, "bitfield of the wrong length" if kind == BITFIELD else "malformed message")
        self.honest_visitor()

    def test_a_length_is_judged_before_the_body_comes(self):
        for kind, length in ((PIECE, 0x7FFFFFFF), (EXTENDED, 1 << 24), (BITFIELD, 0xFFFFFFFF), (99, 1 << 28), (REQUEST, 14)):
            with self.subTest(kind=kind):
                self.host = next(self.hosts)
                peer = self.peer()
                peer.socket.sendall(struct.pack(">IB", length, kind))
                self.assert_refused(peer, "malformed message")

    def test_what_cannot_be(self):
        pieces = len(self.pieces())
        spare = bytearray(b"\xff" * ((pieces + 7) // 8))
        spare[-1] = 0xFF >> 1 if pieces % 8 == 0 else 1
        cannot = {
            "a piece that does not exist": (REQUEST, u32(9999, 0, BLOCK)),
            "the first piece that does not exist": (REQUEST, u32(pieces, 0, BLOCK)),
            "nothing": (REQUEST, u32(0, 0, 0)),
            "past the end": (REQUEST, u32(0, 65536, BLOCK)),
            "past the end of the last block": (REQUEST, u32(4, 36000, BLOCK)),
            "numbers that overflow": (REQUEST, u32(0, 0xFFFFC000, BLOCK)),
            "a have beyond the end": (HAVE, u32(pieces)),
            "a have far beyond the end": (HAVE, u32(0xFFFFFFFF)),
            "a suggestion of a piece that does not exist": (SUGGEST, u32(pieces)),
            "allowed fast for a piece that does not exist": (ALLOWED_FAST, u32(pieces)),
            "an extended handshake that is no bencode": (EXTENDED, b"\0garbage"),
            "an extended handshake that is a list": (EXTENDED, b"\0le"),
            "an extended handshake cut short": (EXTENDED, b"\0d1:md11:ut_metadatai"),
            "an extended handshake with text for a number": (EXTENDED, b"\0d1:md6:ut_pex1:1ee"),
            "a request for metadata that is no bencode": (EXTENDED, bytes([self.ids["ut_metadata"]]) + b"\xff"),
            "a request for no piece of metadata": (EXTENDED, bytes([self.ids["ut_metadata"]]) + b"d8:msg_typei0ee"),
            "a negative piece of metadata": (EXTENDED, bytes([self.ids["ut_metadata"]]) + b"d8:msg_typei0e5:piecei-1ee"),
            "a claim cut short": (EXTENDED, bytes([self.ids["fringe_claim"]]) + claim()[:-1]),
            "a claim of nothing": (EXTENDED, bytes([self.ids["fringe_claim"]]) + claim(count=0)),
            "a claim of a piece that does not exist": (EXTENDED, bytes([self.ids["fringe_claim"]]) + claim(piece=pieces)),
            "a claim from too far": (EXTENDED, bytes([self.ids["fringe_claim"]]) + claim(hops=5)),
            "a claim for too long": (EXTENDED, bytes([self.ids["fringe_claim"]]) + claim(ms=60001)),
            "a list of peers that is no bencode": (EXTENDED, bytes([self.ids["ut_pex"]]) + b"x"),
            "the loss of a piece that does not exist": (EXTENDED, bytes([self.ids["lt_donthave"]]) + u32(pieces)),
            "half a loss": (EXTENDED, bytes([self.ids["lt_donthave"]]) + b"\0\0"),
        }
        if pieces % 8:
            cannot["a bitfield with spare bits"] = (BITFIELD, bytes(spare))
        for name, (kind, body) in cannot.items():
            with self.subTest(name):
                self.host = next(self.hosts)
                peer = self.peer(say=b"")
                peer.send(kind, body)
                self.assert_refused(peer, "it ")
        self.honest_visitor()

    def test_what_changes_nothing(self):
        harmless = {
            "an unknown message": message(99, bytes(5000)),
            "a suggestion": message(SUGGEST, u32(0)) * 2,
            "allowed fast": message(ALLOWED_FAST, u32(0)) * 2,
            "a port": message(PORT, b"\0\0"),
            "cancel of what was not asked": message(CANCEL, u32(0, 0, BLOCK)) + message(CANCEL, u32(99999, 7, 0)),
            "reject of what was not asked": message(REJECT, u32(0, 0, BLOCK)) + message(REJECT, u32(99999, 7, 0)),
            "a block that nobody asked for": message(PIECE, u32(0, 0) + bytes(BLOCK)),
            "a block of a piece that does not exist": message(PIECE, u32(0xFFFFFFFF, 0xFFFFFFFF) + bytes(1)),
            "an extended message that was not offered": message(EXTENDED, b"\xfe" + bytes(100)),
            "a claim of another version": message(EXTENDED, bytes([self.ids["fringe_claim"]]) + b"\2" + claim()[1:]),
            "a claim in another's name": message(EXTENDED, bytes([self.ids["fringe_claim"]]) + claim()) * 2,
            "an empty extended handshake": message(EXTENDED, b"\0de"),
            "odd values in an extended handshake": message(EXTENDED, b"\0" + lt.bencode(
                {b"m": {b"ut_pex": -1, b"ut_metadata": 256, b"lt_donthave": 1 << 62, b"x" * 200: 0}, b"metadata_size": -5, b"p": 1 << 40,
                 b"reqq": -7, b"upload_only": -1, b"v": bytes(3000), b"yourip": b"123"})),
            "a hash reject": message(HASH_REJECT, bytes(48)),
            "interested ten times": message(INTERESTED) * 10,
            "choke and unchoke": (message(CHOKE) + message(UNCHOKE)) * 10,
        }
        for name, data in harmless.items():
            with self.subTest(name):
                self.host = next(self.hosts)
                peer = self.peer()
                peer.socket.sendall(data)
                self.assert_still_talking(peer)
                self.assertEqual(self.complaints(), [])

    def test_hash_requests_that_cannot_be_answered(self):
        info = lt.torrent_info(str(self.lab.torrent)).files()
        root = next(info.root(i).to_bytes() for i in range(info.num_files()) if info.file_path(i) == "static/a.bin")
        small = next(info.root(i).to_bytes() for i in range(info.num_files()) if info.file_path(i) == "static/b.bin")
        peer = self.peer()
        for name, who, numbers in (("an unknown root", bytes(32), (2, 0, 4, 2)), ("a file of one block", small, (0, 0, 2, 0)),
                                   ("no hashes", root, (2, 0, 0, 2)), ("too many", root, (2, 0, 1 << 31, 2)),
                                   ("a base over the root", root, (40, 0, 2, 2)), ("a base of 2^32", root, (0xFFFFFFFF, 0, 2, 2)),
                                   ("an index past the end", root, (2, 4096, 4, 2)), ("an index between", root, (2, 1, 4, 2)),
                                   ("an index that overflows", root, (2, 0xFFFFFFFC, 8, 2)), ("proofs over the root", root, (2, 0, 4, 90)),
                                   ("all numbers", root, (0xFFFFFFFF,) * 4)):
            with self.subTest(name):
                body = who + u32(*numbers)
                peer.send(HASH_REQUEST, body)
                self.assertEqual(peer.next(HASH_REJECT, HASHES), (HASH_REJECT, body))
        self.assertEqual(self.complaints(), [])


class Order(WithServer):
    def test_said_twice_what_it_has(self):
        bits = bytes((len(self.pieces()) + 7) // 8)
        for first, second in itertools.product((message(HAVE_NONE), message(BITFIELD, bits), message(HAVE, u32(0))),
                                               (message(HAVE_ALL), message(HAVE_NONE), message(BITFIELD, bits))):
            with self.subTest(first=first, second=second):
                self.host = next(self.hosts)
                peer = self.peer(say=first + second)
                self.assert_refused(peer, "said twice what it has")

    def test_a_second_handshake(self):
        peer = self.peer()
        peer.socket.sendall(handshake(self.lab.infohash))
        self.assert_refused(peer, "malformed message")

    def test_a_late_bitfield(self):
        peer = self.peer(say=message(INTERESTED))
        self.assertEqual(peer.next(UNCHOKE)[0], UNCHOKE)
        peer.send(BITFIELD, bytes((len(self.pieces()) + 7) // 8))
        self.assert_still_talking(peer)

    def test_requests_of_the_choked_are_rejected(self):
        peer = self.peer()
        peer.send(REQUEST, u32(0, 0, BLOCK))
        self.assertEqual(peer.next(PIECE, REJECT), (REJECT, u32(0, 0, BLOCK)))
        self.assert_still_talking(peer)

    def test_extended_messages_before_their_handshake(self):
        """Nobody has said yet under which number an answer would be understood."""
        for number in range(1, 8):
            peer = self.peer()
            peer.send(EXTENDED, bytes([number]) + b"d8:msg_typei0e5:piecei0ee")
            peer.socket.close()
        self.honest_visitor()

    def test_cut_off_anywhere(self):
        whole = (handshake(self.lab.infohash) + message(HAVE_NONE) + message(EXTENDED, b"\0d1:mdee") + message(INTERESTED)
                 + message(REQUEST, u32(0, 0, BLOCK)))
        for end in range(0, len(whole), 7):
            peer = self.connect()
            peer.sendall(whole[:end])
            peer.close()
        self.honest_visitor()


class Floods(WithServer):
    """Each sender never reads. Memory may grow by what caps allow (4 MiB of answers, 512 requests), not with the flood."""

    GROWTH_KB = 12 * 1024

    def flood(self, data, times, **more):
        """Sends data so often, or until it is thrown out or nobody takes it any more."""
        peer = self.peer(**more)
        peer.socket.settimeout(3)
        chunk = data * max(1, 65536 // len(data))
        for _ in range(max(1, times * len(data) // len(chunk))):
            try:
                peer.socket.sendall(chunk)
            except OSError:
                break
        return peer

    def check(self, data, times, **more):
        before = self.daemon.memory_kb()
        peers = []
        flooder = threading.Thread(target=lambda: peers.append(self.flood(data, times, **more)))
        flooder.start()
        self.honest_visitor()
        flooder.join()
        self.honest_visitor((0, 3, len(self.pieces()) - 1))
        self.assertLess(self.daemon.memory_kb() - before, self.GROWTH_KB)
        self.assertLessEqual(len(self.complaints()), 1, self.complaints())
        peers[0].socket.close()

    def test_requests(self):
        self.check(message(REQUEST, u32(0, 0, BLOCK)), 100_000, say=message(HAVE_NONE) + message(INTERESTED))

    def test_requests_of_the_choked(self):
        self.check(message(REQUEST, u32(0, 0, BLOCK)), 3_000_000)  # 51 MB of rejects

    def test_requests_and_cancels(self):
        self.check(message(REQUEST, u32(0, 0, BLOCK)) + message(CANCEL, u32(0, 0, BLOCK)), 50_000, say=message(HAVE_NONE) + message(INTERESTED))

    def test_interest_that_flaps(self):
        self.check(message(INTERESTED) + message(NOT_INTERESTED), 200_000)

    def test_chokes_that_flap(self):
        self.check(message(UNCHOKE) + message(CHOKE), 200_000, say=message(HAVE_ALL))

    def test_keep_alives(self):
        self.check(KEEP_ALIVE, 1_000_000)

    def test_haves(self):
        self.check(message(HAVE, u32(0)), 200_000)

    def test_extended_handshakes(self):
        offer = {b"m": {b"fringe_claim": 3, b"fringe_release": 4, b"lt_donthave": 5, b"ut_metadata": 2, b"ut_pex": 1}, b"reqq": 1}
        self.check(message(EXTENDED, b"\0" + lt.bencode(offer)), 20_000)

    def test_large_extended_messages(self):
        self.check(message(EXTENDED, b"\0d1:v60000:" + bytes(60000) + b"e"), 1000)

    def test_hash_requests(self):
        info = lt.torrent_info(str(self.lab.torrent)).files()
        roots = [info.root(i).to_bytes() for i in range(info.num_files()) if info.file_size(i) > 65536]
        self.check(b"".join(message(HASH_REQUEST, root + u32(base, 0, 4, 2)) for root in roots for base in (0, 2)), 20_000)

        wait_for("a line in the log", self.complaints)
        self.assertIn("floods us with hash requests", self.complaints()[0])

    def test_hash_requests_that_are_rejected(self):
        self.check(message(HASH_REQUEST, bytes(32) + u32(2, 0, 4, 2)), 20_000)

    def test_requests_for_metadata(self):
        offer = message(EXTENDED, b"\0" + lt.bencode({b"m": {b"ut_metadata": 9}}))
        asked = message(EXTENDED, bytes([self.ids["ut_metadata"]]) + b"d8:msg_typei0e5:piecei0ee")
        self.check(asked, 20_000, say=message(HAVE_NONE) + offer)
        wait_for("a line in the log", self.complaints)
        self.assertIn("floods us with requests for metadata", self.complaints()[0])

    def test_claims(self):
        self.check(message(EXTENDED, bytes([self.ids["fringe_claim"]]) + claim()), 50_000)

    def test_haves_and_losses(self):
        self.check(message(HAVE, u32(3)) + message(EXTENDED, bytes([self.ids["lt_donthave"]]) + u32(3)), 100_000)

    def test_hashes_that_nobody_asked_for(self):
        self.check(message(HASHES, bytes(32) + u32(2, 0, 512, 0) + bytes(32 * 512)), 1000)

    def test_blocks_that_nobody_asked_for(self):
        self.check(message(PIECE, u32(0, 0) + bytes(BLOCK)), 2000)
        wait_for("a line in the log", self.complaints)
        self.assertIn("sends what nobody asked for", self.complaints()[0])

    def test_unknown_messages(self):
        self.check(message(77, bytes(60000)), 1000)

    def test_connections(self):
        for _ in range(400):
            self.connect().close()
        for _ in range(200):
            peer = self.connect()
            peer.sendall(handshake(self.lab.infohash))
            peer.close()
        # Until the last of them is seen to have gone, all places may be taken.
        wait_for("a place", self.is_served, 30)

    def is_served(self):
        try:
            self.honest_visitor()
        except OSError:
            return False
        return True


class Noise(WithServer):
    def test_random_messages(self):
        """Half of them are right but for one thing."""
        rng = random.Random(7)
        kinds = [*range(0, 10), *range(13, 18), *range(20, 24), 200]
        for round in range(150):
            peer = self.peer(say=b"")
            data = b""
            for _ in range(rng.randrange(1, 30)):
                kind = rng.choice(kinds)
                body = rng.choice((b"", rng.randbytes(4), u32(rng.randrange(30), 0, BLOCK), rng.randbytes(48), b"\0d1:mdee",
                                   bytes([rng.randrange(8)]) + rng.randbytes(rng.randrange(100))))
                data += message(kind, body)
            try:
                peer.socket.sendall(data)
            except OSError:
                pass
            peer.socket.close()
        self.honest_visitor()
        self.assertIsNone(self.daemon.process.poll())


class Liars(WithSite):
    """Peers that do not give what they claim to have. The visitor gets its file, and it is right."""

    def setUp(self):
        super().setUp()
        self.make_site({"a.bin": 300_000, "b.bin": 10})
        self.lab.origin()

    def victim_of(self, answer, say=message(HAVE_ALL)):
        class Liar(RawSeed):
            def answer(self, piece, begin, size):
                return answer(piece, begin, size, super().answer)

        liar = Liar(self.lab.infohash, self.pieces(), say=say)
        self.addCleanup(liar.close)
        daemon = self.lab.daemon("victim", peers=[liar.address])
        self.assertEqual(daemon.get(f"{self.lab.site}/static/a.bin"), self.files["a.bin"])
        self.assertEqual(daemon.get(f"{self.lab.site}/static/b.bin"), self.files["b.bin"])
        self.assertTrue(liar.asked, "it was never asked: the test shows nothing")
        return liar, daemon

    @staticmethod
    def block(piece, begin, data):
        return message(PIECE, u32(piece, begin) + data)

    def test_claims_all_and_rejects_all(self):
        self.victim_of(lambda piece, begin, size, honest: message(REJECT, u32(piece, begin, size)))

    def test_claims_all_and_says_nothing(self):
        self.victim_of(lambda *_: None)

    def test_chokes_at_every_request(self):
        self.victim_of(lambda piece, begin, size, honest: message(CHOKE) + message(REJECT, u32(piece, begin, size)) + message(UNCHOKE))

    def test_blocks_of_another_length(self):
        _, daemon = self.victim_of(lambda piece, begin, size, honest: self.block(piece, begin, bytes(size - 1)))
        self.assertEqual(daemon.text().count("another length than was asked"), 1)

    def test_answers_for_other_pieces(self):
        self.victim_of(lambda piece, begin, size, honest: self.block(piece + 1, begin, bytes(size)))

    def test_gives_half_and_then_garbage(self):
        _, daemon = self.victim_of(lambda piece, begin, size, honest: message(99, bytes(10)) if begin else honest(piece, begin, size))
        self.assertEqual(daemon.status()["total"]["peers"] + daemon.status()["total"]["origin"], 300_010)

    def test_sends_nonsense_instead(self):
        _, daemon = self.victim_of(lambda *_: struct.pack(">I", 0xFFFFFFFF))
        self.assertEqual(daemon.text().count("malformed message"), 1)

    def test_hangs_up_at_every_request(self):
        def hang_up(*_):
            raise OSError

        self.victim_of(hang_up)

    def test_a_flipped_byte_is_caught_and_its_sender_dropped(self):
        def flip(piece, begin, size, honest):
            good = honest(piece, begin, size)
            return good[:-1] + bytes([good[-1] ^ 1]) if piece == 3 else good

        liar, daemon = self.victim_of(flip)
        self.assertEqual(daemon.text().count("do not have their hash"), 1, daemon.text())
        self.assertEqual(daemon.status()["peers"], 0)
        total = daemon.status()["total"]
        self.assertGreater(total["peers"], 0)
        self.assertEqual(total["peers"] + total["origin"], 300_010)
        self.assertEqual(liar.connections, 1, "the liar was dialled again")

    def test_the_same_seed_without_a_lie(self):
        _, daemon = self.victim_of(lambda piece, begin, size, honest: honest(piece, begin, size))
        self.assertEqual(daemon.status()["total"]["origin"], 0)


if __name__ == "__main__":
    unittest.main()
