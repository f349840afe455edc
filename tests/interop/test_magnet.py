"""By magnet link: libtorrent knows only the info-hash, and gets everything else from our daemon, and so do we from libtorrent."""
import unittest

from lab import WithSite, wait_for

# A file of one block, of one piece, of many; and one whose layer is asked for in more than one request (512 hashes).
SIZES = {"one.bin": 1, "block.bin": 16384, "piece.bin": 65536, "three.bin": 3 * 65536 + 777, "deep/er/big.bin": 5_000_001,
         "long.bin": 520 * 65536 + 5}


class Magnet(WithSite):
    def test_libtorrent_gets_it_from_us(self):
        self.make_site(SIZES)
        self.lab.origin()
        ours = self.lab.daemon("ours")
        self.get_all(ours)
        folder = self.lab.dir / "leech"
        session, handle = self.lab.libtorrent(folder, peers=[ours.address()], magnet=True)
        self.assert_complete(session, handle, folder)
        self.assertEqual(handle.status().total_failed_bytes, 0)

    def test_many_small_files(self):
        self.make_site({f"d{i % 20}/f{i}.bin": 40_000 + 137 * i for i in range(600)})
        self.lab.origin()
        ours = self.lab.daemon("ours")
        self.visit_all(ours)
        folder = self.lab.dir / "leech"
        session, handle = self.lab.libtorrent(folder, peers=[ours.address()], magnet=True)
        self.assert_complete(session, handle, folder)

    def test_we_get_it_from_libtorrent(self):
        """The site has lost its torrent; only the release says which it is."""
        self.make_site(SIZES)
        session, _ = self.lab.libtorrent(self.lab.web, seed=True)
        self.lab.torrent.unlink()
        self.lab.origin()
        ours = self.lab.daemon("ours", peers=[f"127.0.0.1:{session.listen_port()}"])
        url = f"{self.lab.site}/static/three.bin"
        wait_for("the torrent from libtorrent", lambda: ours.get(url, check=False) == self.files["three.bin"])
        self.get_all(ours)
        self.assertEqual(self.lab.origin_bytes(), 0)


if __name__ == "__main__":
    unittest.main()
