"""The cache's quota against the real daemon: what goes, what stays, what peers hear of it, and what is remembered."""
import json
import signal
import struct
import time
import unittest

from lab import Lab, WithSite, wait_for
from raw_peer import BITFIELD, HAVE_ALL, INTERESTED, PIECE, REJECT, REQUEST, UNCHOKE, RawPeer

MB = 1_000_000


class Cached(WithSite):
    def state(self, daemon):
        return json.loads(daemon.run("cache", "--json").stdout)

    def sites(self, daemon):
        return {site["site"]: site for site in self.state(daemon)["sites"]}

    def on_disk(self, daemon):
        return sum(file.stat().st_size for file in (daemon.dir / "data/content").rglob("*") if file.is_file())

    def again(self, daemon, *options):
        """What was used a moment ago is held for a while: a new run of the daemon begins with nothing held."""
        daemon.stop()
        daemon.options += options
        daemon.start()
        return daemon

    def settled(self, daemon, most):
        """Waits until the books and the disk are within so many bytes."""
        def fits():
            state = self.state(daemon)
            return state["going"] == 0 and state["bytes"] <= most and self.on_disk(daemon) <= most and state
        return wait_for(f"the cache to be within {most} bytes", fits, 40)


class Quota(Cached):
    SIZES = {f"f{i}.bin": 500_000 + i for i in range(10)}

    def setUp(self):
        super().setUp()
        self.make_site(self.SIZES)
        self.lab.origin()
        self.ours = self.lab.daemon("ours")
        self.visit_all(self.ours)

    def test_a_lowered_quota_holds_and_peers_hear_what_went(self):
        self.assertEqual(self.state(self.ours)["bytes"], sum(self.SIZES.values()))
        self.assertGreater(self.sites(self.ours)[self.lab.site]["last_used"], 1_700_000_000)
        self.again(self.ours)
        self.ours.run("status")
        peer = RawPeer(self, self.lab.infohash, self.ours.port, offers={"lt_donthave": 7})
        peer.next(HAVE_ALL, BITFIELD)
        self.ours.run("set", "--cache-quota", "2M")
        state = self.settled(self.ours, 2 * MB)
        self.assertEqual((state["files"], state["quota"], state["quota_chosen"]), (3, 2 * MB, True))
        lost = {peer.extended(7) for _ in range(7 * 8)}  # pieces of 64 KiB: 8 a file
        self.assertEqual(len(lost), 7 * 8)
        self.assertEqual(self.ours.status()["cache"]["files"], 3)
        self.again(self.ours)  # remembered, the quota as well as what is left
        self.assertEqual((self.state(self.ours)["files"], self.state(self.ours)["quota"]), (3, 2 * MB))
        self.get_all(self.ours)  # all is right whatever went
        self.settled(self.again(self.ours), 2 * MB)

    def test_what_is_given_to_a_peer_stays_meanwhile(self):
        self.again(self.ours).run("status")
        peer = RawPeer(self, self.lab.infohash, self.ours.port, offers={})
        peer.next(HAVE_ALL, BITFIELD)
        peer.send(INTERESTED)
        peer.next(UNCHOKE)
        peer.send(REQUEST, struct.pack(">III", 0, 0, 16384))
        peer.next(PIECE)
        self.ours.run("set", "--cache-quota", "1M")
        self.settled(self.ours, MB)
        peer.send(REQUEST, struct.pack(">III", 0, 16384, 16384))  # of the oldest file of all: it would go first
        self.assertEqual(peer.next(PIECE, REJECT)[0], PIECE)

    def test_a_file_larger_than_the_quota_is_the_sites_own(self):
        self.make_site({"large.bin": 3 * MB, "small.bin": 70_000})
        self.again(self.ours).run("set", "--cache-quota", "1M")
        self.settled(self.ours, MB)
        path = "/static/large.bin"
        before = self.lab.origin_bytes()
        got = self.ours.visit(self.lab.site, [path])[path]
        self.assertNotEqual(got, (200, self.files["large.bin"]))
        self.assertLess(self.lab.origin_bytes() - before, 3 * MB, "it was fetched though there was no room")
        self.assertIn(b"no-room", self.ours.visit(self.lab.site, [path])[path][1])
        self.assertEqual(self.ours.get(f"{self.lab.site}/static/small.bin"), self.files["small.bin"])
        self.assertEqual(self.ours.status()["health"]["store"], "ok", "a quota is no fault of the disk")

    def test_what_was_shared_of_each_site(self):
        """Both sides count the same, keep it over a kill, and forget it with the files."""
        total = sum(self.SIZES.values())
        self.assertEqual(self.shared(self.ours), (0, 0), "all came from the site")
        self.ours.run("set", "--log", "no")  # a sum is no log
        theirs = self.lab.daemon("theirs", "--peer", f"127.0.0.1:{self.ours.port}")
        self.visit_all(theirs)
        down = theirs.status()["total"]["peers"]
        self.assertGreater(down, total / 2)
        self.assertEqual(self.shared(theirs), (down, 0))
        wait_for("the last block to be counted", lambda: self.shared(self.ours) == (0, down))
        time.sleep(3)  # longer than a batch waits
        theirs.stop(signal.SIGKILL)
        theirs.start()
        self.assertEqual(self.shared(theirs), (down, 0))
        self.assertIn("from peers", theirs.run("cache").stdout)
        self.again(theirs).run("cache", "clear", self.lab.site)
        self.visit_all(theirs)
        down = theirs.status()["total"]["peers"]
        self.assertEqual(self.shared(theirs), (down, 0), "it begins anew")

    def shared(self, daemon):
        site = self.sites(daemon)[self.lab.site]
        return site["down"], site["up"]

    def test_cleared_and_fetched_again(self):
        said = self.ours.run("cache", "clear", self.lab.site).stdout
        self.assertIn("removed 10 files", said)
        self.settled(self.ours, 0)
        self.assertEqual(self.ours.run("log").stdout, "nothing was fetched or shared yet\n")
        self.visit_all(self.ours)
        self.assertEqual(self.sites(self.ours)[self.lab.site]["files"], 10)
        self.ours.run("cache", "clear", "all")
        self.settled(self.ours, 0)

    def test_what_is_no_request_is_refused(self):
        for words in (("clear",), ("clear", "nonsense"), ("keep", "all"), ("quota", "all", "5"), ("quota", self.lab.site, "-1"),
                      ("quota", self.lab.site), ("empty", "all")):
            with self.subTest(words):
                self.assertEqual(self.ours.run("cache", *words, check=False).returncode, 2)
        self.assertEqual(self.state(self.ours)["files"], 10)


class Sites(Cached):
    """Two sites in one cache."""

    def setUp(self):
        super().setUp()
        self.make_site({f"a{i}.bin": 380_000 + i for i in range(4)})
        self.lab.origin()
        self.other = Lab().__enter__()
        self.addCleanup(self.other.__exit__, None, None, None)
        self.others = {f"b{i}.bin": self.other.write(f"b{i}.bin", 380_000 + i) for i in range(4)}
        self.other.publish()
        self.other.origin()
        self.ours = self.lab.daemon("ours")
        self.get_all(self.ours)
        self.get_others()

    def get_others(self):
        for path, data in self.others.items():
            self.assertEqual(self.ours.get(f"{self.other.site}/static/{path}"), data)

    def test_what_is_kept_stays(self):
        self.ours.run("cache", "keep", self.lab.site)
        self.again(self.ours).run("set", "--cache-quota", "2M")
        self.settled(self.ours, 2 * MB)
        sites = self.sites(self.ours)
        self.assertEqual((sites[self.lab.site]["files"], sites[self.lab.site]["keep"]), (4, True))
        self.assertEqual(sites[self.other.site]["files"], 1)
        self.ours.run("set", "--cache-quota", "1M")  # less than what is kept: that stays, and nothing more comes
        self.settled(self.ours, 4 * 380_100)
        got = self.ours.visit(self.other.site, ["/static/b0.bin", "/static/b1.bin"])
        self.assertTrue(all(status != 200 for status, _ in got.values()), got.keys())
        self.ours.run("cache", "unkeep", self.lab.site)
        self.settled(self.ours, MB)

    def test_a_sites_own_quota_costs_no_other(self):
        self.again(self.ours).run("cache", "quota", self.lab.site, "900K")
        wait_for("its files to go", lambda: self.sites(self.ours)[self.lab.site]["files"] == 2)
        self.assertEqual(self.sites(self.ours)[self.other.site]["files"], 4)
        self.again(self.ours)
        self.assertEqual(self.sites(self.ours)[self.lab.site]["quota"], 900_000)
        self.get_all(self.ours)
        self.assertLessEqual(self.sites(self.ours)[self.lab.site]["bytes"], 900_000)
        self.ours.run("cache", "quota", self.lab.site, "0")
        self.get_all(self.ours)

    def test_an_index_that_is_gone_costs_no_count(self):
        self.ours.stop()
        for file in (self.ours.dir / "data").glob("index.sqlite*"):
            file.unlink()
        self.ours.start()
        wait_for("the content to be found", lambda: self.state(self.ours)["files"] == 8)
        self.assertIsNone(self.state(self.ours)["sites"][0]["site"])
        self.assertIn("(not known yet)", self.ours.run("cache").stdout)
        before = self.lab.origin_bytes()
        self.get_all(self.ours)  # verified again, and not fetched
        self.assertEqual(self.lab.origin_bytes(), before)
        self.assertEqual(self.sites(self.ours)[self.lab.site]["files"], 4)
        self.ours.run("set", "--cache-quota", "1M")
        self.settled(self.again(self.ours), MB)


class Releases(Cached):
    def test_what_only_an_old_release_has_goes_first(self):
        self.make_site({f"f{i}.bin": 300_000 for i in range(3)})
        self.lab.origin()
        ours = self.lab.daemon("ours")
        self.visit_all(ours)
        old = {file.name for file in (ours.dir / "data/content").rglob("*") if file.is_file()}
        self.files |= {f"f{i}.bin": self.lab.write(f"f{i}.bin", 300_000, seed=2) for i in range(2)}
        self.lab.publish()
        self.visit_all(ours)
        stays = {file.name for file in (ours.dir / "data/content").rglob("*") if file.is_file()} - old
        self.assertEqual(len(stays), 2)
        self.again(ours).run("set", "--cache-quota", "1M")
        self.settled(ours, MB)
        left = {file.name for file in (ours.dir / "data/content").rglob("*") if file.is_file()}
        self.assertLessEqual(stays, left)
        self.assertEqual(len(left), 3)
        self.visit_all(ours)


if __name__ == "__main__":
    unittest.main()
