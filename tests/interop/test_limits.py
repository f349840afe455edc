"""The visitor's limits by the commands that set them: rates by counting bytes while they come, what a kill leaves, what is refused.
 Upper bounds are what the limits promise; lower ones are generous, because the machine may be busy."""
import signal
import subprocess
import time

from lab import FRINGE, WithSite, wait_for

SLACK = 100_000  # a bucket, and what is read or sent at a time


class Rates(WithSite):
    def check_rate(self, count, rate, seconds=4):
        """`count` gives bytes so far: over some seconds they are no more than `rate` allows, and not next to nothing."""
        wait_for("the first bytes", lambda: count() > 0)
        start = time.monotonic()  # before the first look, and the end after the last: a busy machine must not shorten the time
        before = count()
        while time.monotonic() < start + seconds:
            time.sleep(0.1)
        bytes_ = count() - before
        elapsed = time.monotonic() - start
        self.assertLessEqual(bytes_, rate * elapsed * 1.05 + SLACK)
        self.assertGreaterEqual(bytes_, rate * seconds * 0.4)

    def test_upload(self):
        self.make_site({"big.bin": 8_000_000, "small.bin": 1})
        self.lab.origin()
        ours = self.lab.daemon("ours")
        self.get_all(ours)
        ours.run("set", "--upload-rate", "500K")
        leeches = [self.lab.libtorrent(self.lab.dir / f"leech{i}", peers=[ours.address()]) for i in range(2)]
        self.check_rate(lambda: ours.status()["total"]["uploaded"], 500_000)
        # Lifted, it goes on at full speed.
        ours.run("set", "--upload-rate", "0")
        for i, (session, handle) in enumerate(leeches):
            self.assert_complete(session, handle, self.lab.dir / f"leech{i}")

    def get_slowly(self, ours, rate, source):
        ours.run("set", "--download-rate", str(rate))
        start = time.monotonic()
        get = subprocess.Popen([FRINGE, "get", f"{self.lab.site}/static/big.bin", "-o", ours.dir / "out", "--socket", ours.socket],
                               stderr=subprocess.PIPE)
        try:
            self.check_rate(lambda: ours.status()["total"][source], rate)
            _, error = get.communicate(timeout=60)
        finally:
            get.kill()
            get.wait()
        self.assertEqual(get.returncode, 0, error)
        self.assertGreaterEqual(time.monotonic() - start, (len(self.files["big.bin"]) - SLACK) / rate / 1.05)
        self.assertEqual((ours.dir / "out").read_bytes(), self.files["big.bin"])

    def test_download_from_the_origin(self):
        self.make_site({"big.bin": 4_000_000, "small.bin": 1})
        self.lab.origin()
        self.get_slowly(self.lab.daemon("ours"), 600_000, "origin")

    def test_download_from_peers(self):
        self.make_site({"big.bin": 4_000_000, "small.bin": 1})
        self.lab.origin()
        session, _ = self.lab.libtorrent(self.lab.web, seed=True)
        ours = self.lab.daemon("ours", peers=[f"127.0.0.1:{session.listen_port()}"])
        self.get_slowly(ours, 600_000, "peers")
        self.assertLess(self.lab.origin_bytes(), 500_000, "the cap was slow, and not the peer")


class Kill(WithSite):
    def test_pause_and_month_survive(self):
        self.make_site({"big.bin": 4_000_000, "page.js": 50_000})
        self.lab.origin()
        ours = self.lab.daemon("ours")
        ours.get(f"{self.lab.site}/static/big.bin")
        ours.run("set", "--monthly-cap", "1M")
        _, handle = self.lab.libtorrent(self.lab.dir / "leech", peers=[ours.address()])
        wait_for("the cap", lambda: ours.status()["sharing"] == "month")
        month = ours.status()["month"]["uploaded"]
        self.assertLessEqual(month, 1_000_000)
        self.assertGreater(month, 1_000_000 - 20_000)
        ours.stop(signal.SIGKILL)
        ours.start()
        self.get_all(ours)  # its cache, and the site
        self.assertEqual(ours.status()["month"]["uploaded"], month)
        self.assertIn("cap is reached", ours.run("status").stdout)
        _, late = self.lab.libtorrent(self.lab.dir / "late", peers=[ours.address()])
        wait_for("the late one to meet it", lambda: ours.status()["peers"] > 0)
        self.assertIn("paused until", ours.run("pause").stdout)
        ours.stop(signal.SIGKILL)
        ours.start()
        self.assertEqual(ours.status()["sharing"], "paused")
        self.assertIn("cap is reached", ours.run("resume").stdout)
        self.assertIn("cap is reached", ours.run("status").stdout)
        self.assertEqual(ours.status()["total"]["uploaded"], 0)
        self.assertEqual(late.status().total_payload_download, 0)
        self.assertLessEqual(handle.status().total_payload_download, 1_000_000)


class Commands(WithSite):
    def test_they_say_what_is_set_and_it_stays(self):
        ours = self.lab.daemon("ours")
        done = ours.run("set", "--upload-rate", "1.5M", "--monthly-cap", "20g", "--slots", "4")
        self.assertIn("upload: 1.5 MB/s, download: no limit, given a month: 20 GB, slots: 4", done.stdout)
        ours.stop()
        ours.start()
        self.assertEqual(ours.status()["limits"], {"upload_rate": 1_500_000, "download_rate": 0, "monthly_cap": 20_000_000_000, "slots": 4, "local_discovery": 0, "no_log": 0,
                                                    "unmetered_only": 0, "mains_only": 0,
                                                    "cache_quota": 0, "default_zone": "share"})
        self.assertIn("upload: no limit", ours.run("set", "--upload-rate", "0").stdout)
        self.assertIn("for 30 more minutes", ours.run("pause", "30").stdout)
        self.assertIn(ours.status()["paused_s"], range(1700, 1801))

    def test_what_is_no_limit(self):
        ours = self.lab.daemon("ours")
        for words in (["--upload-rate", "7K"], ["--upload-rate", "fast"], ["--download-rate", "-1"], ["--monthly-cap", "1.2.3"],
                      ["--slots", "0"], ["--slots", "201"], ["--slots", "4", self.lab.site, "off"], ["--monthly-cap", "1e9"],
                      ["--upload-rate", ""], ["--upload-rate", "99999999999999999999"], ["--upload-rate", "10KB"]):
            done = ours.run("set", *words, check=False)
            self.assertEqual(done.returncode, 2, words)
            self.assertEqual(done.stdout, "", words)
        for words in (["0"], ["-5"], ["10081"], ["soon"], ["1", "2"]):
            self.assertEqual(ours.run("pause", *words, check=False).returncode, 2, words)
        self.assertEqual(ours.status()["limits"], {"upload_rate": 0, "download_rate": 0, "monthly_cap": 0, "slots": 8, "local_discovery": 0, "no_log": 0,
                                                    "unmetered_only": 0, "mains_only": 0,
                                                    "cache_quota": 0, "default_zone": "share"})
