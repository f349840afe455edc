"""Limits that a visitor sets, seen from stock libtorrent: rates, the month's cap, pause, and zone fetch."""
import signal
import time
import unittest

from lab import Control, WithSite, port_of, wait_for

SIZES = {"a.bin": 4_000_000, "b.bin": 70_000}
TOTAL = sum(SIZES.values())
RATE = 1_500_000
# No more than rate x time, and 40 ms of the rate or a block. A busy machine only takes longer.
LEAST_SECONDS = (TOTAL - RATE * 0.04) / RATE


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

    def test_upload_rate(self):
        ours = self.seeding(upload_rate=RATE)
        ours.stop(signal.SIGKILL)
        ours.start()  # settings are kept at once
        with Control(ours.socket) as control:  # somebody must want something of the site, or nobody is served
            control.request("site.open", site=self.lab.site, seq=0, doc="d")
        start = time.monotonic()
        session, handle, folder = self.leech(ours)
        self.assert_complete(session, handle, folder)
        self.assertGreaterEqual(time.monotonic() - start, LEAST_SECONDS)

    def test_download_rate(self):
        session, _ = self.lab.libtorrent(self.lab.web, seed=True)
        ours = self.lab.daemon("ours", peers=[port_of(session)])
        self.ask(ours, "settings", download_rate=RATE)
        start = time.monotonic()
        self.visit_all(ours)
        self.assertGreaterEqual(time.monotonic() - start, LEAST_SECONDS)

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
