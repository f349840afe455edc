"""Our daemons and stock libtorrent in swarms of some size: many files, interruptions, and crowds with a single seed."""
import concurrent.futures
import signal
import threading
import unittest

from lab import WithSite, port_of, wait_for
from raw_peer import RawSeed

MIB = 1 << 20


class ManyFiles(WithSite):
    """2,000 small files: what a page's folder of images, scripts and models looks like."""

    sizes = {f"d{i % 40}/f{i}.bin": 100 + 7919 * i % 16000 for i in range(2000)}

    def setUp(self):
        super().setUp()
        self.make_site(self.sizes)
        self.lab.origin()

    def test_from_libtorrent(self):
        self.lab.static.rename(self.lab.dir / "static")  # the origin has nothing but the release
        session, _ = self.lab.libtorrent(self.lab.dir, seed=True)
        ours = self.lab.daemon("ours", peers=[port_of(session)])
        self.get_in_the_end(ours, 120)
        self.assertEqual(ours.status()["total"]["peers"], sum(self.sizes.values()))

    def test_to_libtorrent(self):
        ours = self.lab.daemon("ours")
        self.visit_all(ours)
        folder = self.lab.dir / "leech"
        session, handle = self.lab.libtorrent(folder, peers=[ours.address()])
        self.assert_complete(session, handle, folder)
        self.assertEqual(handle.status().total_failed_bytes, 0)


class HoldingSeed(RawSeed):
    """Gives so many pieces and then nothing more, until it is let go."""

    def __init__(self, infohash, pieces, count):
        super().__init__(infohash, pieces)
        self.count = count
        self.holds = True

    def answer(self, piece, begin, size):
        given = {number for number, _ in self.asked}
        return None if self.holds and len(given) > self.count else super().answer(piece, begin, size)


class Killed(WithSite):
    """kill -9 in mid-download: what was stored is not fetched again, and nothing is wrong."""

    def start_getting(self, daemon):
        reader = threading.Thread(target=lambda: daemon.get(f"{self.lab.site}/static/big.bin", check=False))
        reader.start()
        return reader

    def kill_and_restart(self, daemon, reader):
        daemon.stop(signal.SIGKILL)
        reader.join()
        daemon.start()

    def without_content_at_the_origin(self):
        self.lab.origin()
        self.lab.static.rename(self.lab.dir / "static")
        return self.lab.dir

    def test_no_stored_piece_is_asked_for_again(self):
        self.make_site({"big.bin": 6 * MIB + 5, "small.bin": 10})
        self.without_content_at_the_origin()
        seed = HoldingSeed(self.lab.infohash, self.pieces(), 50)
        self.addCleanup(seed.close)
        ours = self.lab.daemon("ours", peers=[seed.address])
        reader = self.start_getting(ours)
        wait_for("stored pieces", lambda: len(seed.had) >= 40, 30)
        self.kill_and_restart(ours, reader)
        stored, before = set(seed.had), len(seed.asked)
        seed.holds = False
        self.assertEqual(ours.get(f"{self.lab.site}/static/big.bin"), self.files["big.bin"])
        again = {piece for piece, _ in seed.asked[before:]} & stored
        self.assertEqual(again, set(), "asked for what was stored before the kill")
        self.assertEqual(len(set(seed.asked[before:])), len(seed.asked[before:]), "a block was asked for twice")

    def test_libtorrent_sends_little_twice(self):
        size = 24 * MIB
        self.make_site({"big.bin": size, "small.bin": 10})
        session, handle = self.lab.libtorrent(self.without_content_at_the_origin(), seed=True)
        handle.set_upload_limit(6 * MIB)
        ours = self.lab.daemon("ours", peers=[port_of(session)])
        reader = self.start_getting(ours)
        wait_for("half the file", lambda: ours.status()["total"]["peers"] > size // 2, 60)
        self.kill_and_restart(ours, reader)
        self.assertEqual(ours.get(f"{self.lab.site}/static/big.bin"), self.files["big.bin"])
        sent = handle.status().total_payload_upload
        self.assertLess(sent, size + 5 * MIB, "more than what was asked for when it was killed was sent twice")


class Mixed(WithSite):
    """Four of ours and four of libtorrent get everything from one slow seed, and so mostly from each other."""

    def test_four_and_four_with_one_seed(self):
        self.make_site({"big.bin": 6 * MIB + 1, "b.bin": 300_000, "c/d.bin": 65537, "c/e.bin": 1})
        self.lab.origin()
        url = self.lab.tracker()
        self.lab.publish("--tracker", url)
        self.lab.static.rename(self.lab.dir / "static")  # the origin has nothing but the release
        seed, seeding = self.lab.libtorrent(self.lab.dir, seed=True, trackers=[url], settings={"unchoke_slots_limit": 20})
        seeding.set_upload_limit(2 * MIB)
        folders = [self.lab.dir / f"lt{i}" for i in range(4)]
        theirs = [self.lab.libtorrent(folder, peers=[port_of(seed)], trackers=[url]) for folder in folders]
        ours = [self.lab.daemon(f"ours{i}", peers=[port_of(seed)]) for i in range(4)]
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            list(pool.map(self.get_in_the_end, ours))
        for folder, (session, handle) in zip(folders, theirs):
            self.assert_complete(session, handle, folder)
        copies = seeding.status().total_payload_upload / sum(map(len, self.files.values()))
        self.assertLess(copies, 6, "they took nearly everything from the seed")
        self.assertGreater(sum(daemon.status()["total"]["uploaded"] for daemon in ours), 0)


if __name__ == "__main__":
    unittest.main()
