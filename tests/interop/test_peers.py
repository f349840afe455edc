"""Our daemon and stock libtorrent in one swarm, both ways; opentracker brings strangers together."""
import unittest

from lab import WithSite, port_of, wait_for

# Every length at which something changes: block, piece, and one byte to either side.
SIZES = {"empty.txt": 0, "one.bin": 1, "block-1.bin": 16383, "block.bin": 16384, "block+1.bin": 16385, "piece-1.bin": 65535,
         "piece.bin": 65536, "piece+1.bin": 65537, "three.bin": 3 * 65536 + 777, "deep/er/big.bin": 5_000_001}


class Libtorrent(WithSite):
    def test_leeches_from_us(self):
        self.make_site(SIZES)
        self.lab.origin()
        ours = self.lab.daemon("ours")
        self.get_all(ours)
        folder = self.lab.dir / "leech"
        session, handle = self.lab.libtorrent(folder, peers=[ours.address()])
        self.assert_complete(session, handle, folder)
        self.assertEqual(handle.status().total_failed_bytes, 0)
        self.assertGreaterEqual(ours.status()["total"]["uploaded"], sum(SIZES.values()))

    def test_seeds_to_us(self):
        self.make_site(SIZES)
        self.lab.origin()
        session, _ = self.lab.libtorrent(self.lab.web, seed=True)
        ours = self.lab.daemon("ours", peers=[port_of(session)])
        self.get_all(ours)
        self.assertEqual(self.lab.origin_bytes(), 0, "the origin was asked although a peer had everything")
        self.assertEqual(ours.status()["total"]["peers"], sum(SIZES.values()))


class IPv6(WithSite):
    def setUp(self):
        super().setUp()
        self.make_site({"a.bin": 400_000, "b.bin": 70_000})
        self.lab.origin()

    def test_libtorrent_leeches_from_us(self):
        ours = self.lab.daemon("ours", host="[::1]")
        self.get_all(ours)
        folder = self.lab.dir / "leech"
        session, handle = self.lab.libtorrent(folder, peers=[ours.address()], host="[::1]")
        self.assert_complete(session, handle, folder)

    def test_libtorrent_seeds_to_us(self):
        session, _ = self.lab.libtorrent(self.lab.web, seed=True, host="[::1]")
        ours = self.lab.daemon("ours", host="[::1]", peers=[f"[::1]:{session.listen_port()}"])
        self.get_all(ours)
        self.assertGreater(ours.status()["total"]["peers"], 0)

    def test_one_that_listens_everywhere_is_found_on_both(self):
        ours = self.lab.daemon("ours", host="[::]")
        self.get_all(ours)
        for host in ("127.0.0.1", "[::1]"):
            with self.subTest(host):
                folder = self.lab.dir / host.strip("[]")
                session, handle = self.lab.libtorrent(folder, peers=[f"{host}:{ours.port}"], host=host)
                self.assert_complete(session, handle, folder)


class UploadOnly(WithSite):
    """BEP 21: two that have everything have nothing to say to each other."""

    def test_seeds_part_and_a_leech_stays(self):
        self.make_site({"a.bin": 400_000, "b.bin": 70_000})
        self.lab.origin()
        session, _ = self.lab.libtorrent(self.lab.web, seed=True)
        ours = self.lab.daemon("ours", peers=[port_of(session)])
        self.get_all(ours)
        self.assertGreater(ours.status()["total"]["peers"], 0)
        wait_for("the seeds to part", lambda: ours.status()["peers"] == 0)
        folder = self.lab.dir / "leech"
        leech, handle = self.lab.libtorrent(folder, peers=[ours.address()])
        self.assert_complete(leech, handle, folder)


class OurOwn(WithSite):
    def test_second_visitor_gets_all_from_the_first(self):
        self.make_site(SIZES)
        self.lab.origin()
        first = self.lab.daemon("first")
        self.get_all(first)
        before = self.lab.origin_bytes()
        self.assertEqual(before, sum(SIZES.values()))
        second = self.lab.daemon("second", peers=[first.address()])
        self.get_all(second)
        self.assertEqual(self.lab.origin_bytes(), before)
        self.assertEqual(second.status()["total"]["peers"], sum(SIZES.values()))

    def test_cache_survives_kill_and_restart(self):
        self.make_site({"a.bin": 400_000, "b.bin": 70_000})
        nginx = self.lab.origin()
        ours = self.lab.daemon("ours")
        self.get_all(ours)
        ours.stop(9)
        ours.start()
        self.get_all(ours)
        ours.stop()
        self.lab.end(nginx)
        ours.start()
        self.get_all(ours)

    def test_zone_off_goes_nowhere_and_fetch_shares_nothing(self):
        self.make_site({"a.bin": 200_000, "b.bin": 1})
        self.lab.origin()
        off = self.lab.daemon("off", zone="off")
        self.assertIsNone(off.get(f"{self.lab.site}/static/a.bin", check=False))
        self.assertEqual(self.lab.origin_bytes("/"), 0)
        fetch = self.lab.daemon("fetch", zone="fetch")
        self.get_all(fetch)
        before = self.lab.origin_bytes()
        second = self.lab.daemon("second", peers=[fetch.address()])
        self.get_all(second)
        self.assertEqual(self.lab.origin_bytes(), 2 * before)
        self.assertEqual(fetch.status()["total"]["uploaded"], 0)


class Tracker(WithSite):
    def test_opentracker_introduces_us_and_libtorrent(self):
        self.make_site({"a.bin": 400_000, "b.bin": 70_000})
        self.lab.origin()
        url = self.lab.tracker()
        self.lab.publish("--tracker", url)
        first = self.lab.daemon("first")
        self.get_all(first)
        before = self.lab.origin_bytes()
        second = self.lab.daemon("second")
        self.get_all(second)
        self.assertEqual(self.lab.origin_bytes(), before, "the second did not find the first")
        folder = self.lab.dir / "leech"
        session, handle = self.lab.libtorrent(folder, trackers=[url])
        self.assert_complete(session, handle, folder)


if __name__ == "__main__":
    unittest.main()
