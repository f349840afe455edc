"""Trackers: what we tell them and when, a real opentracker's counts, and trackers that mean no good."""
import threading
import unittest

from fake_tracker import FakeTracker, RawServer, compact
from lab import WithSite, lt, wait_for
from raw_peer import RawSeed

SIZES = {"a.bin": 300_000, "b.bin": 10}


class Announces(WithSite):
    def start(self, tracker, **more):
        self.make_site(SIZES)
        self.lab.publish("--tracker", tracker.url)
        self.lab.origin()
        return self.lab.daemon("ours", **more)

    def test_zones(self):
        """Off tells nobody. Fetch asks for peers but gives nothing."""
        tracker = FakeTracker(self)
        ours = self.start(tracker, zone="off")
        self.assertIsNone(ours.get(f"{self.lab.site}/static/a.bin", check=False))
        fetch = self.lab.daemon("fetch", zone="fetch")
        self.get_all(fetch)
        wait_for("an announce", lambda: tracker.announces)
        self.assertEqual({query["port"] for query in tracker.announces}, {str(fetch.port)})

    def test_peers_of_a_tracker_are_dialled(self):
        self.make_site(SIZES)
        for name, peers in (("compact", lambda seed: {b"peers": compact(seed.address)}),
                            ("list", lambda seed: {b"peers": [{b"ip": b"127.0.0.1", b"port": int(seed.address.split(":")[1])}]})):
            with self.subTest(name):
                seed = RawSeed(self.lab.infohash, self.pieces())
                self.addCleanup(seed.close)
                tracker = FakeTracker(self, lambda query, peers=peers, seed=seed: lt.bencode({b"interval": 1800, **peers(seed)}))
                self.lab.publish("--tracker", tracker.url)
                if name == "compact":
                    self.lab.origin()
                ours = self.lab.daemon(name)
                self.get_all(ours)
                self.assertEqual(seed.connections, 1)
                self.assertGreater(ours.status()["total"]["peers"], 0)


class Hostile(WithSite):
    """Whatever a tracker does, the page gets its files, at once, and the daemon stays as small as it was."""

    def visit_with(self, url):
        self.make_site(SIZES)
        self.lab.publish("--tracker", url)
        self.lab.origin()
        ours = self.lab.daemon("ours")
        before = ours.memory_kb()
        self.get_all(ours)
        return ours, before

    def test_garbage(self):
        for name, body in {"html": b"<html>hello</html>", "nothing": b"", "a list": b"le", "a failure": b"d14:failure reason4:go !e",
                           "cut short": b"d8:intervali1800e5:peers60:1234", "a negative interval": b"d8:intervali-5e5:peers0:e",
                           "a huge interval": b"d8:intervali9999999999999999999e5:peers0:e", "half a peer": b"d5:peers7:1234567e",
                           "peers that are a number": b"d5:peersi5ee", "deep": b"d5:peers" + b"l" * 50_000 + b"e" * 50_000 + b"e",
                           "names": b"d5:peersld2:ip9:localhost4:porti1eeee", "control characters": b"d14:failure reason3:\x1b[Ae"}.items():
            with self.subTest(name):
                tracker = FakeTracker(self, lambda query, body=body: body)
                ours = self.once_more(name, tracker.url)
                wait_for("the announce", lambda: tracker.announces)
                self.assertEqual(ours.status()["peers"], 0)
                self.assertNotIn("\x1b", ours.text())

    def once_more(self, name, url):
        """As visit_with, of which there can be several in one test."""
        if not hasattr(self, "files"):
            return self.visit_with(url)[0]
        self.lab.publish("--tracker", url)
        ours = self.lab.daemon(name.replace(" ", "-"))
        self.get_all(ours)
        return ours

    def test_statuses_and_redirects(self):
        target = FakeTracker(self)
        for status in (301, 302, 307, 308, 404, 500, 503):
            with self.subTest(status):
                tracker = FakeTracker(self, status=status, headers=[("Location", target.url)])
                self.once_more(str(status), tracker.url)
                wait_for("the announce", lambda: tracker.announces)
        self.assertEqual(target.announces, [], "a redirect was followed")

    def test_gigabytes(self):
        sent = []

        def endless(client, head=b"HTTP/1.1 200 OK\r\n\r\nd5:peers2000000000:"):
            client.sendall(head)
            sent.append(0)
            while sent[-1] < 1 << 30:
                client.sendall(bytes(65536))
                sent[-1] += 65536

        tracker = RawServer(self, endless)
        ours, before = self.visit_with(tracker.url)
        wait_for("the end", lambda: sent and sent[-1] == self.settled(sent))
        self.assertLess(sent[-1], 16 << 20, "the reply was not cut early")
        self.assertLess(ours.memory_kb() - before, 32 * 1024)

    @staticmethod
    def settled(sent):
        before = sent[-1]
        threading.Event().wait(0.5)
        return before if sent[-1] == before else -1

    def test_a_length_of_gigabytes_is_refused_before_its_body(self):
        ended = threading.Event()

        def announce_much(client):
            client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 4000000000\r\n\r\n")
            if client.recv(1) == b"":
                ended.set()

        self.visit_with(RawServer(self, announce_much).url)
        self.assertTrue(ended.wait(20))

    def test_endless_headers(self):
        ended = threading.Event()

        def headers(client):
            client.sendall(b"HTTP/1.1 200 OK\r\n")
            try:
                for _ in range(1 << 14):
                    client.sendall(b"X-Much: " + b"y" * 4000 + b"\r\n")
            except OSError:
                ended.set()

        self.visit_with(RawServer(self, headers).url)
        self.assertTrue(ended.wait(20))

    def test_nothing_at_all(self):
        """It takes the connection and is silent for as long as the test runs."""
        hanging = threading.Event()
        self.addCleanup(hanging.set)
        tracker = RawServer(self, lambda client: hanging.wait(60))
        ours, _ = self.visit_with(tracker.url)
        self.assertEqual(tracker.connections, 1)
        ours.stop()

    def test_not_http(self):
        self.visit_with(RawServer(self, lambda client: client.sendall(b"\x00\x01\x02" * 1000)).url)

    def test_nobody_there(self):
        self.visit_with("http://127.0.0.1:1/announce")

    def test_thousands_of_peers(self):
        """Addresses are capped, and those of other networks than ours are left alone."""
        many = compact(*(f"10.{i >> 8}.{i & 255}.1:6881" for i in range(20_000)))
        ours, before = self.visit_with(FakeTracker(self, lambda query: lt.bencode({b"interval": 60, b"peers": many})).url)
        self.assertEqual(ours.status()["peers"], 0)
        self.assertLess(ours.memory_kb() - before, 32 * 1024)


if __name__ == "__main__":
    unittest.main()
