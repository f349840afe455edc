"""What a visitor has chosen, seen from stock libtorrent: the month's cap, pause, zone fetch. (Rates: test_limits.py.)"""
import unittest

from lab import Control, WithSite, wait_for

SIZES = {"a.bin": 4_000_000, "b.bin": 70_000}
TOTAL = sum(SIZES.values())
RATE = 1_500_000


class FairUse(WithSite):
    def setUp(self):
        super().setUp()
        self.make_site(SIZES)
        self.lab.origin()

    @staticmethod
    def ask(daemon, type, **fields):
        with Control(daemon.socket) as control:
            answer = control.request(type, **fields)
        assert answer["ok"], answer
        return answer

    def seeding(self, **settings):
        ours = self.lab.daemon("ours")
        self.get_all(ours)
        self.ask(ours, "settings", **settings)
        return ours

    def leech(self, ours):
        folder = self.lab.dir / "leech"
        return (*self.lab.libtorrent(folder, peers=[ours.address()], settings={"min_reconnect_time": 1}), folder)

    def test_the_months_cap(self):
        ours = self.seeding(monthly_cap=1_000_000)
        session, handle, _ = self.leech(ours)
        wait_for("the cap", lambda: ours.status()["sharing"] == "month", 60)
        wait_for("what is on its way", lambda: handle.status().total_payload_upload == 0)
        self.assertLess(handle.status().total_payload_download, 1_200_000)
        self.assertLess(ours.status()["month"]["uploaded"], 1_200_000)
        self.ask(ours, "settings", monthly_cap=0)
        self.assert_complete(session, handle, self.lab.dir / "leech", 90)

    def test_pause(self):
        ours = self.seeding(upload_rate=RATE)
        session, handle, folder = self.leech(ours)
        wait_for("some of it", lambda: handle.status().total_payload_download > 500_000)
        self.assertEqual(self.ask(ours, "pause")["sharing"], "paused")
        wait_for("nobody connected", lambda: handle.status().num_peers == 0 and ours.status()["peers"] == 0)
        before = ours.status()["total"]["uploaded"]
        self.visit_all(ours)  # pages go on
        self.assertEqual(ours.status()["total"]["uploaded"], before)
        self.assertEqual(self.ask(ours, "resume")["sharing"], "on")
        self.assert_complete(session, handle, folder)

    def test_fetch_gives_nothing(self):
        ours = self.lab.daemon("ours", zone="fetch")
        self.get_all(ours)
        session, handle, folder = self.leech(ours)
        wait_for("the two to meet", lambda: handle.status().num_peers == 1 or "disconnect" in str(session.pop_alerts()))
        other, other_handle = self.lab.libtorrent(self.lab.web, seed=True)
        handle.connect_peer(("127.0.0.1", other.listen_port()))
        self.assert_complete(session, handle, folder)
        self.assertGreaterEqual(other_handle.status().total_payload_upload, TOTAL)
        self.assertEqual(ours.status()["total"]["uploaded"], 0)


if __name__ == "__main__":
    unittest.main()
