"""Peers exchanged (BEP 11), by hand: what our daemon tells, what it makes of what it hears, and who exchanges too much. (With
libtorrent: test_discovery.py.)"""
import socket
import unittest

from fake_tracker import compact
from lab import WithSite, lt, wait_for
from raw_peer import RawPeer, RawSeed

PEX = 3


def added(*addresses):
    return lt.bencode({b"added": compact(*addresses), b"added.f": bytes(len(addresses)), b"dropped": b""})


class Exchange(WithSite):
    def setUp(self):
        super().setUp()
        self.make_site({"a.bin": 400_000, "b.bin": 70_000})
        self.lab.origin()
        self.hosts = (f"127.0.8.{i}" for i in range(1, 250))

    def peer(self, daemon, **more):
        peer = RawPeer(self, self.lab.infohash, daemon.port, host=next(self.hosts), **{"offers": {"ut_pex": PEX}, **more})
        peer.extended(0)
        return peer

    def start(self, **more):
        ours = self.lab.daemon("ours", **more)
        self.get_all(ours)
        return ours

    def test_what_is_told(self):
        """Who said a port, with the address it came from; nobody else, and not the one who asks."""
        ours = self.start()
        reachable = self.peer(ours, listens=4321)
        self.peer(ours)  # says no port
        asks = self.peer(ours, listens=1234)
        told = lt.bdecode(asks.extended(PEX))
        address = reachable.socket.getsockname()[0]
        self.assertEqual(told[b"added"], compact(f"{address}:4321"))
        self.assertEqual((len(told[b"added.f"]), told[b"dropped"], told[b"added6"]), (1, b"", b""))
        self.assertEqual(told[b"added.f"][0] & 0x10, 0, "nobody knows yet that it can be reached")

    def test_who_gives_nothing_tells_nothing(self):
        ours = self.start(zone="fetch")
        self.peer(ours, listens=4321)
        asks = self.peer(ours)
        asks.socket.settimeout(4)
        with self.assertRaises(TimeoutError):
            asks.extended(PEX)

    def test_who_is_told_of_is_dialled(self):
        """We learn of the only seed from a peer that has nothing."""
        self.lab.static.rename(self.lab.dir / "static")
        seed = RawSeed(self.lab.infohash, self.pieces())
        self.addCleanup(seed.close)
        ours = self.lab.daemon("ours")
        ours.get(f"{self.lab.site}/static/a.bin", check=False)
        teller = self.peer(ours)
        teller.send_extended("ut_pex", added(seed.address))
        self.get_in_the_end(ours)
        self.assertEqual(seed.connections, 1)

    def test_malformed(self):
        ours = self.start()
        for payload in (b"", b"\xff", b"le", b"d5:addedi1ee", b"d5:added7:1234567e", added("127.0.9.1:1")[:-1]):
            with self.subTest(payload):
                peer = self.peer(ours)
                peer.send_extended("ut_pex", payload)
                self.assertTrue(peer.ended())
        self.visit_all(ours)

    def test_too_often(self):
        """A few early ones are passed over, then the peer goes, with one line in the log."""
        ours = self.start()
        before = ours.memory_kb()
        peer = self.peer(ours)
        try:
            for number in range(2000):
                peer.send_extended("ut_pex", added(*(f"127.77.{number % 200}.{i}:1" for i in range(50))))
        except OSError:
            pass
        self.assertTrue(peer.ended())
        host = peer.socket.getsockname()[0] if peer.socket.fileno() >= 0 else "127.0.8."
        wait_for("a line in the log", lambda: [line for line in ours.text().splitlines() if host in line])
        self.assertEqual(len([line for line in ours.text().splitlines() if host in line]), 1, ours.text())
        self.assertLess(ours.memory_kb() - before, 12 * 1024)
        self.visit_all(ours)

    def test_too_many(self):
        """Hundreds in one message: only so many of one peer are ever dialled."""
        self.lab.static.rename(self.lab.dir / "static")
        listener = socket.create_server(("0.0.0.0", 0), backlog=1000)
        self.addCleanup(listener.close)
        listener.settimeout(2)
        port = listener.getsockname()[1]
        ours = self.lab.daemon("ours")
        ours.get(f"{self.lab.site}/static/a.bin", check=False)
        self.peer(ours).send_extended("ut_pex", added(*(f"127.66.{i // 250}.{i % 250 + 1}:{port}" for i in range(2000))))
        ours.get(f"{self.lab.site}/static/a.bin", check=False)
        dialled = set()
        try:
            while True:
                client, _ = listener.accept()
                dialled.add(client.getsockname()[0])
                client.close()
        except TimeoutError:
            pass
        self.assertGreater(len(dialled), 0)
        self.assertLessEqual(len(dialled), 50)


if __name__ == "__main__":
    unittest.main()
