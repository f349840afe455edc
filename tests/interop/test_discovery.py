"""How hosts and stock clients find each other."""
import unittest

from lab import WithSite, wait_for


class Discovery(WithSite):
    SIZES = {"a.js": 20_000, "b.bin": 1_500_000}

    def tracked_site(self, scheme):
        """The tracker serves only hashes that it knows, so the site is published twice: with and without it."""
        self.make_site(self.SIZES)
        url = self.lab.tracker().replace("http://", f"{scheme}://")
        self.lab.publish("--tracker", url)
        self.lab.origin()
        return url

    def test_two_hosts_meet_at_a_udp_tracker(self):
        self.tracked_site("udp")
        first, second = self.lab.daemon("first"), self.lab.daemon("second")
        self.get_all(first)
        before = self.lab.origin_bytes()
        self.get_all(second)
        self.assertEqual(self.lab.origin_bytes(), before)
        self.assertEqual(second.status()["total"]["peers"], sum(self.SIZES.values()))

    def test_a_host_and_libtorrent_meet_at_a_udp_tracker(self):
        url = self.tracked_site("udp")
        host = self.lab.daemon("host")
        self.get_all(host)
        folder = self.lab.dir / "leech"
        session, handle = self.lab.libtorrent(folder, trackers=[url])
        self.assert_complete(session, handle, folder)

    def test_a_silent_udp_tracker_before_one_that_works(self):
        self.make_site(self.SIZES)
        url = self.lab.tracker()
        self.lab.publish("--tracker", "udp://127.0.0.1:9/announce", "--tracker", url)
        self.lab.origin()
        first, second = self.lab.daemon("first"), self.lab.daemon("second")
        self.get_all(first)
        self.get_all(second)
        wait_for("the hosts to meet", lambda: second.status()["peers"] == 1 or second.status()["total"]["peers"] > 0)


class PeerExchange(WithSite):
    """Both run PEX on loopback, which counts as a network that all of them share."""
    SIZES = {"a.js": 20_000, "b.bin": 1_500_000}

    def setUp(self):
        super().setUp()
        self.make_site(self.SIZES)
        self.lab.origin()

    def test_our_host_introduces_two_libtorrents(self):
        host = self.lab.daemon("host")
        host.get(f"{self.lab.site}/static/a.js")
        sessions = [self.lab.libtorrent(self.lab.dir / f"leech{i}", peers=[host.address()]) for i in range(2)]
        ports = [session.listen_port() for session, _ in sessions]

        def met():
            known = {peer.ip[1] for _, handle in sessions for peer in handle.get_peer_info()}
            return known & set(ports)
        wait_for("the two to meet", met, 90)

    def test_libtorrent_introduces_two_hosts(self):
        session, _ = self.lab.libtorrent(self.lab.web, seed=True)
        middle = f"127.0.0.1:{session.listen_port()}"
        first, second = (self.lab.daemon(name, peers=[middle]) for name in ("first", "second"))
        for host in (first, second):
            host.get(f"{self.lab.site}/static/a.js")
        wait_for("the two to meet", lambda: first.status()["peers"] == 2 and second.status()["peers"] == 2, 90)


if __name__ == "__main__":
    unittest.main()
