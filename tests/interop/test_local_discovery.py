"""Local discovery (BEP 14) on a network that the test makes: a namespace with one pair of interfaces."""
import ctypes
import os
import subprocess
import unittest

from lab import WithSite, free_port, tool, wait_for

HERE = "10.99.0.1"
CLONE_NEWUSER, CLONE_NEWNET = 0x10000000, 0x40000000


def setUpModule():
    """From here on this process, and all that it starts, is on that network only."""
    uid, gid = os.getuid(), os.getgid()
    if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNET | (CLONE_NEWUSER if uid else 0)) != 0:
        raise AssertionError(f"no network namespace can be made: {os.strerror(ctypes.get_errno())}")
    if uid:
        for file, text in (("setgroups", "deny"), ("uid_map", f"0 {uid} 1"), ("gid_map", f"0 {gid} 1")):
            with open(f"/proc/self/{file}", "w") as out:
                out.write(text)
    ip = tool("ip", "iproute2")
    for words in ("link set lo up", "link add near type veth peer name far", f"address add {HERE}/24 dev near",
                  "link set near up", "link set far up"):
        subprocess.run([ip, *words.split()], check=True)


class LocalDiscovery(WithSite):
    SIZES = {"a.js": 20_000, "b.bin": 1_500_000}

    def setUp(self):
        super().setUp()
        self.make_site(self.SIZES)
        self.lab.origin()

    def host(self, name, *options):
        return self.lab.daemon(name, *options, host=HERE)

    def check_second_is_fed(self, *options):
        first, second = self.host("first", *options), self.host("second", *options)
        if not options:
            for host in first, second:
                done = host.run("set", "--local-discovery", "on")
                self.assertIn("local discovery", done.stdout)
        self.get_all(first)
        before = self.lab.origin_bytes()
        second.get(f"{self.lab.site}/static/a.js")
        wait_for("the two to meet", lambda: second.status()["peers"] == 1)
        second.get(f"{self.lab.site}/static/b.bin")
        self.assertLess(self.lab.origin_bytes() - before, 100_000)

    def test_two_hosts_meet_when_the_command_line_says_so(self):
        self.check_second_is_fed("--local-discovery")

    def test_two_hosts_meet_when_the_visitor_says_so(self):
        self.check_second_is_fed()

    def test_it_is_off_and_stays_on_once_it_is_on(self):
        host = self.host("first")
        self.assertEqual(host.status()["limits"]["local_discovery"], 0)
        self.get_all(host)
        leech, handle = self.libtorrent("early")
        host.run("set", "--local-discovery", "on")
        wait_for("libtorrent to hear of it", lambda: handle.status().is_seeding, 60)
        leech.pause()
        host.stop()
        host.start()
        self.assertEqual(host.status()["limits"]["local_discovery"], 1)

    def libtorrent(self, name):
        return self.lab.libtorrent(self.lab.dir / name, settings={"enable_lsd": True, "listen_interfaces": f"{HERE}:{free_port()}"})

    def test_libtorrent_hears_us(self):
        host = self.host("first", "--local-discovery")
        _, handle = self.libtorrent("leech")
        self.get_all(host)  # it tells so when the torrent is there
        wait_for("libtorrent to hear of it", lambda: handle.status().is_seeding, 60)

    def test_we_hear_libtorrent(self):
        host = self.host("first", "--local-discovery")
        host.get(f"{self.lab.site}/static/a.js")
        _, handle = self.libtorrent("leech")  # it tells so at once
        wait_for("libtorrent to be dialled", lambda: handle.status().total_done > 0, 60)


if __name__ == "__main__":
    unittest.main()
