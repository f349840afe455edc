"""The torrents that we publish, read by stock libtorrent; and made by it from the same files: the same info-hash."""
import hashlib
import unittest

from lab import Lab, lt

PIECE = 65536
# Every length at which something changes, and names whose order is a trap: "a-b" and "a.txt" stand around the folder "a".
SIZES = {"empty.txt": 0, "one.bin": 1, "block-1.bin": 16383, "block.bin": 16384, "block+1.bin": 16385, "piece.bin": 65536,
         "piece+1.bin": 65537, "five.bin": 5 * 65536, "many.bin": 3_000_001, "a-b": 5, "a/x": 6, "a.txt": 7, "a/b/c/deep": 70000,
         "Z": 8, "é/ü.bin": 40000}


class Metainfo(unittest.TestCase):
    def setUp(self):
        self.lab = Lab()
        self.lab.__enter__()
        self.addCleanup(self.lab.__exit__, None, None, None)
        self.files = {path: self.lab.write(path, size) for path, size in SIZES.items()}
        same = self.lab.write("same/one", 200000)
        (self.lab.static / "same/two").write_bytes(same)
        self.files |= {"same/one": same, "same/two": same}

    def by_libtorrent(self):
        storage = lt.file_storage()
        lt.add_files(storage, str(self.lab.static))
        torrent = lt.create_torrent(storage, PIECE, flags=lt.create_torrent.v2_only)
        lt.set_piece_hashes(torrent, str(self.lab.web))
        return torrent.generate()

    def test_libtorrent_computes_the_same_infohash(self):
        self.lab.publish()
        info = lt.torrent_info(str(self.lab.torrent))
        self.assertEqual(str(info.info_hashes().v2), self.lab.infohash)
        self.assertFalse(info.info_hashes().has_v1())
        self.assertEqual(info.name(), "static")
        self.assertEqual(info.piece_length(), PIECE)

    def test_libtorrent_makes_the_same_torrent_of_the_files(self):
        self.lab.publish()
        ours, theirs = lt.bdecode(self.lab.torrent.read_bytes()), self.by_libtorrent()
        self.assertEqual(ours[b"piece layers"], theirs[b"piece layers"])
        self.assertEqual(ours[b"info"], theirs[b"info"])
        self.assertEqual(hashlib.sha256(lt.bencode(theirs[b"info"])).hexdigest(), self.lab.infohash)

    def test_all_files_are_in_it(self):
        self.lab.publish()
        storage = lt.torrent_info(str(self.lab.torrent)).files()
        listed = {storage.file_path(i): storage.file_size(i) for i in range(storage.num_files())
                  if not storage.file_flags(i) & lt.file_storage.flag_pad_file}
        self.assertEqual(listed, {f"static/{path}": len(data) for path, data in self.files.items()})
        for i in range(storage.num_files()):
            path = storage.file_path(i).removeprefix("static/")
            if 0 < len(self.files.get(path, b"")) <= 16384:
                self.assertEqual(storage.root(i).to_bytes(), hashlib.sha256(self.files[path]).digest(), path)

    def test_trackers_and_the_web_seed_are_read(self):
        self.lab.publish("--tracker", "http://one.example/announce", "--tracker", "http://two.example/announce")
        info = lt.torrent_info(str(self.lab.torrent))
        self.assertEqual([t.url for t in info.trackers()], ["http://one.example/announce", "http://two.example/announce"])
        self.assertEqual([seed["url"] for seed in info.web_seeds()], [self.lab.site + "/"])


if __name__ == "__main__":
    unittest.main()
