"""By magnet link: libtorrent knows only the info-hash, and gets everything else from our daemon, and so do we from libtorrent."""
import unittest

from lab import WithSite, alerts, lt, wait_for

# A file of one block, of one piece, of many; and one whose layer is asked for in more than one request (512 hashes).
SIZES = {"one.bin": 1, "block.bin": 16384, "piece.bin": 65536, "three.bin": 3 * 65536 + 777, "deep/er/big.bin": 5_000_001,
         "long.bin": 520 * 65536 + 5}


class Magnet(WithSite):
    def magnet(self, peer, folder):
        session = lt.session({"listen_interfaces": "127.0.0.1:0", "enable_dht": False, "enable_lsd": False, "enable_upnp": False,
                              "enable_natpmp": False, "allow_multiple_connections_per_ip": True,
                              "alert_mask": lt.alert.category_t.all_categories & ~lt.alert.category_t.stats_notification})
        self.lab.callback(session.pause)
        params = lt.parse_magnet_uri(f"magnet:?xt=urn:btmh:1220{self.lab.infohash}")
        params.save_path = str(folder)
        host, port = peer.rsplit(":", 1)
        params.peers = [(host, int(port))]
        params.flags &= ~(lt.torrent_flags.auto_managed | lt.torrent_flags.paused)
        return session, session.add_torrent(params)

    def test_libtorrent_gets_it_from_us(self):
        self.make_site(SIZES)
        self.lab.origin()
        ours = self.lab.daemon("ours")
        self.get_all(ours)
        folder = self.lab.dir / "leech"
        session, handle = self.magnet(ours.address(), folder)
        self.assert_complete(session, handle, folder)
        self.assertEqual(handle.status().total_failed_bytes, 0)

    def test_many_small_files(self):
        self.make_site({f"d{i % 20}/f{i}.bin": 40_000 + 137 * i for i in range(600)})
        self.lab.origin()
        ours = self.lab.daemon("ours")
        self.visit_all(ours)
        folder = self.lab.dir / "leech"
        session, handle = self.magnet(ours.address(), folder)
        self.assert_complete(session, handle, folder)


if __name__ == "__main__":
    unittest.main()
