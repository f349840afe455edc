"""Trackers: what we tell them and when, a real opentracker's counts, and trackers that mean no good."""
# Takes long: tests/run begins with it.
import socket
import struct
import threading
import unittest
import urllib.parse
import urllib.request

from fake_tracker import FakeTracker, FakeUdpTracker, RawServer, compact
from lab import Daemon, WithSite, lt, tool, wait_for
from raw_peer import RawSeed

SIZES = {"a.bin": 300_000, "b.bin": 10}


class Announces(WithSite):
    def start(self, tracker, **more):
        self.make_site(SIZES)
        self.lab.publish("--tracker", tracker.url)
        self.lab.origin()
        return self.lab.daemon("ours", **more)

    def completed(self):
        """A tracker, and a daemon that has told it that it has everything."""
        tracker = FakeTracker(self)
        ours = self.start(tracker)
        self.get_all(ours)
        wait_for("completed", lambda: "completed" in tracker.events())
        return tracker, ours

    def test_started_completed_stopped(self):
        tracker, ours = self.completed()
        ours.run("set", self.lab.site, "off")
        wait_for("stopped", lambda: "stopped" in tracker.events())
        self.assertEqual(tracker.events(), ["started", "completed", "stopped"])
        first, second, _ = tracker.announces
        for query in tracker.announces:
            self.assertEqual(query["info_hash"].encode("latin-1").hex(), self.lab.infohash[:40])
            self.assertRegex(query["peer_id"], "^-FR[0-9]{4}-")
            self.assertEqual((query["port"], query["compact"]), (str(ours.port), "1"))
            self.assertEqual((query["peer_id"], query["key"]), (first["peer_id"], first["key"]))
        self.assertEqual((first["left"], second["left"]), (str(sum(SIZES.values())), "0"))

    def test_the_end_of_the_daemon_is_told(self):
        tracker, ours = self.completed()
        ours.stop()
        wait_for("stopped", lambda: "stopped" in tracker.events())

    def test_who_comes_back_complete_does_not_complete_again(self):
        tracker, ours = self.completed()
        ours.stop()
        ours.start()
        self.get_all(ours)
        wait_for("the second start", lambda: tracker.events().count("started") == 2)
        self.assertEqual(tracker.events().count("completed"), 1)
        self.assertEqual(tracker.announces[-1]["left"], "0")
        self.assertNotEqual(tracker.announces[0]["peer_id"], tracker.announces[-1]["peer_id"], "a peer id is for one run")

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


class OpenTracker(WithSite):
    def scrape(self, url):
        quoted = urllib.parse.quote(bytes.fromhex(self.lab.infohash[:40]))
        with urllib.request.urlopen(url.replace("/announce", "/scrape") + "?info_hash=" + quoted, timeout=20) as reply:
            files = lt.bdecode(reply.read())[b"files"]
        counts = next(iter(files.values()), {})
        return tuple(counts.get(name, 0) for name in (b"complete", b"incomplete", b"downloaded"))

    def test_it_counts_us_as_libtorrent(self):
        self.counts("http")

    def test_over_udp(self):
        self.counts("udp")

    def counts(self, scheme):
        self.make_site(SIZES)
        self.lab.origin()
        url = self.lab.tracker()
        self.lab.publish("--tracker", url.replace("http:", f"{scheme}:"))
        first = self.lab.daemon("first")
        first.get(f"{self.lab.site}/static/a.bin")
        wait_for("a leecher", lambda: self.scrape(url) == (0, 1, 0))
        self.get_all(first)
        wait_for("a seed", lambda: self.scrape(url) == (1, 0, 1))
        _, handle = self.lab.libtorrent(self.lab.dir / "leech", trackers=[url])
        wait_for("libtorrent", lambda: handle.status().is_seeding)
        wait_for("both", lambda: self.scrape(url) == (2, 0, 2))
        first.run("set", self.lab.site, "off")
        wait_for("our leave", lambda: self.scrape(url) == (1, 0, 2))


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


class HostileUdp(WithSite):
    def setUp(self):
        super().setUp()
        self.make_site(SIZES)
        self.seed = RawSeed(self.lab.infohash, self.pieces())
        self.decoy = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(self.seed.close)
        self.addCleanup(self.decoy.close)

    def start(self, answer):
        tracker = FakeUdpTracker(self, answer)
        self.lab.publish("--tracker", tracker.url)
        self.lab.origin()
        self.tracker = tracker
        return self.lab.daemon("ours")

    def peers(self, address):
        return struct.pack(">III", 1800, 1, 1) + compact(address)

    def decoys(self):
        return self.peers(f"127.0.0.1:{self.decoy.getsockname()[1]}")

    def test_only_the_right_answer_counts(self):
        """Before each right answer come short ones, those of another exchange or action, and one of another sender."""
        def answer(head, datagram):
            action, transaction = head
            right = bytes(8) if action == 0 else self.peers(self.seed.address)
            wrong = bytes(8) if action == 0 else self.decoys()
            reply = self.tracker.reply
            self.tracker.other.sendto(reply(action, transaction, wrong), self.tracker.asker)
            return [b"", b"x" * 7, reply(action, transaction ^ 1, wrong), reply(2, transaction, wrong), reply(action, transaction, b"\0"),
                    reply(action, transaction, right)]

        ours = self.start(answer)
        self.get_all(ours)
        wait_for("the seed", lambda: self.seed.connections)
        self.decoy.setblocking(False)
        self.assertRaises(BlockingIOError, self.decoy.accept)

    def test_errors_garbage_and_giants(self):
        """The page does not wait for any of it."""
        for name, body in {"an error": b"\x1b[31mgo away", "a giant": bytes(60000), "half a peer": self.decoys()[:-3],
                           "a huge interval": b"\xff" * 12}.items():
            with self.subTest(name):
                def answer(head, datagram, name=name, body=body):
                    if name == "an error":
                        return [self.tracker.reply(3, head[1], body)]
                    return [self.tracker.reply(*head, bytes(8) if head[0] == 0 else body)]

                if hasattr(self, "tracker"):
                    self.tracker = FakeUdpTracker(self, answer)
                    self.lab.publish("--tracker", self.tracker.url)
                    ours = self.lab.daemon(name.replace(" ", "-"))
                else:
                    ours = self.start(answer)
                self.get_all(ours)
                wait_for("a datagram", lambda: self.tracker.heard)
                self.assertNotIn("\x1b", ours.text())

    def test_silence(self):
        ours = self.start(lambda *_: [])
        self.get_all(ours)
        wait_for("a datagram", lambda: self.tracker.heard)
        self.assertEqual(len(self.tracker.heard), 1, "asked again before 15 s have passed")


class Tiers(WithSite):
    """Each URL is a tier: the next is asked when the one before it fails or is silent. (That it is asked only then is shown in the
    simulator, where nothing is late by accident.)"""

    def get_with(self, *urls):
        self.make_site(SIZES)
        self.lab.publish(*(word for url in urls for word in ("--tracker", url)))
        self.lab.origin()
        ours = self.lab.daemon("ours")
        self.get_all(ours)
        return ours

    def test_behind_one_that_is_not_there(self):
        second = FakeTracker(self)
        self.get_with("http://127.0.0.1:1/announce", second.url)
        wait_for("the second", lambda: "started" in second.events())

    def test_behind_one_that_fails(self):
        first, second = FakeTracker(self, lambda query: b"d14:failure reason4:go !e"), FakeTracker(self)
        self.get_with(first.url, second.url)
        wait_for("the second", lambda: "started" in second.events())
        self.assertEqual(len(first.announces), 1)

    def test_behind_a_silent_one(self):
        released = threading.Event()
        self.addCleanup(released.set)
        second = FakeTracker(self)
        self.get_with(RawServer(self, lambda client: released.wait(60)).url, second.url)
        wait_for("the second", lambda: "started" in second.events())


class BothFamilies(WithSite):
    """Who listens on both is announced over both (BEP 7). The tracker's name has two addresses, in a hosts file for the daemon alone."""

    def daemon(self, url):
        self.make_site(SIZES)
        self.lab.publish("--tracker", url)
        self.lab.origin()
        hosts = self.lab.dir / "hosts"
        hosts.write_text("127.0.0.1 localhost tracker.test\n::1 tracker.test\n")

        class WithHosts(Daemon):
            before = (tool("unshare", "util-linux"), "-Urm", "sh", "-c", 'mount --bind "$0" /etc/hosts && exec "$@"', hosts)

        daemon = WithHosts(self.lab, "ours", "--listen", "[::1]:0")
        self.addCleanup(lambda: daemon.process.poll() is None and daemon.stop())
        self.get_all(daemon)
        return daemon

    def test_http(self):
        four = FakeTracker(self)
        six = FakeTracker(self, address=("::1", four.server.server_port))
        ours = self.daemon(four.url.replace("127.0.0.1", "tracker.test"))
        for tracker in (four, six):
            wait_for("completed", lambda tracker=tracker: "completed" in tracker.events())
        ours.run("set", self.lab.site, "off")
        for tracker in (four, six):
            wait_for("stopped", lambda tracker=tracker: "stopped" in tracker.events())
            self.assertEqual(tracker.events(), ["started", "completed", "stopped"])
        self.assertEqual(four.announces[0]["key"], six.announces[0]["key"])

    def test_udp(self):
        def answer(head, _):
            return [FakeUdpTracker.reply(*head, bytes(8) if head[0] == 0 else struct.pack(">III", 1800, 0, 1))]

        def events(tracker):
            return [struct.unpack(">I", datagram[80:84])[0] for datagram in tracker.heard if len(datagram) > 16]

        four = FakeUdpTracker(self, answer)
        six = FakeUdpTracker(self, answer, address=("::1", four.socket.getsockname()[1]))
        ours = self.daemon(four.url.replace("127.0.0.1", "tracker.test"))
        for tracker in (four, six):
            wait_for("started and completed", lambda tracker=tracker: events(tracker) == [2, 1])
        ours.run("set", self.lab.site, "off")
        for tracker in (four, six):
            wait_for("stopped", lambda tracker=tracker: events(tracker) == [2, 1, 3])


if __name__ == "__main__":
    unittest.main()
