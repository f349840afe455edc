"""The daemon as a program: options, exit statuses, who may run beside whom, and when it ends."""
import os
import signal
import subprocess
import time
import unittest

from lab import FRINGE, Lab, wait_for

from control import Control  # lab has made tests/lib known


class Daemon(unittest.TestCase):
    def setUp(self):
        self.lab = Lab().__enter__()
        self.addCleanup(self.lab.__exit__, None, None, None)

    def run_daemon(self, *options):
        return subprocess.run([FRINGE, "daemon", *options], capture_output=True, text=True, timeout=60)

    def test_bad_options_are_usage_errors_that_say_what_is_needed(self):
        for options, word in ((["--zone", "everything"], "share"), (["--listen", "nowhere"], "ADDR:PORT"),
                              (["--listen", "127.0.0.1:7000", "--listen", "[::1]:7001"], "the port of the first"),
                              (["--listen", "127.0.0.1:0"] * 5, "too many"), (["--peer", "x"], "HOST:PORT"),
                              (["--idle-exit", "soon"], "seconds"), (["--log", "loud"], "debug"), (["--frobnicate"], "usage"),
                              (["argument"], "argument")):
            with self.subTest(options):
                done = self.run_daemon(*options)
                self.assertEqual(done.returncode, 2, done.stderr)
                self.assertIn(word, done.stderr)

    def test_a_ca_file_that_is_not_there(self):
        done = self.run_daemon("--data", str(self.lab.dir / "d"), "--socket", str(self.lab.dir / "s"), "--ca-file", "/nonexistent.pem")
        self.assertEqual(done.returncode, 1)
        self.assertIn("/nonexistent.pem", done.stderr)

    def test_one_daemon_for_one_cache_and_one_socket(self):
        first = self.lab.daemon("first")
        same_cache = self.run_daemon("--data", str(first.dir / "data"), "--socket", str(self.lab.dir / "other"))
        self.assertEqual(same_cache.returncode, 1)
        same_socket = self.run_daemon("--data", str(self.lab.dir / "other-data"), "--socket", str(first.socket))
        self.assertEqual(same_socket.returncode, 1)
        self.assertTrue(same_cache.stderr and same_socket.stderr)
        self.assertEqual(first.status()["peers"], 0, "the first must not have suffered")

    def test_ends_when_the_last_client_has_gone(self):
        daemon = self.lab.daemon("idle", "--idle-exit", "1")
        with Control(daemon.socket) as client:
            client.request("hello", api=1, client="cli", version="1")
            time.sleep(2)
            self.assertIsNone(daemon.process.poll(), "it ended under a client")
        wait_for("the daemon to end", lambda: daemon.process.poll() is not None)
        self.assertEqual(daemon.process.returncode, 0)

    def test_stop_ends_one_that_hangs(self):
        daemon = self.lab.daemon("hanging")
        daemon.process.send_signal(signal.SIGSTOP)
        done = daemon.run("stop")
        self.assertIn(f"process {daemon.process.pid}", done.stdout)
        self.assertEqual(daemon.process.wait(20), -signal.SIGKILL)
        daemon.start()
        self.assertTrue(daemon.status())

    def test_stop_answers_and_ends(self):
        daemon = self.lab.daemon("stopped")
        with Control(daemon.socket) as client:
            self.assertTrue(client.request("stop")["ok"])
        wait_for("the daemon to end", lambda: daemon.process.poll() is not None)
        self.assertEqual(daemon.process.returncode, 0)
        self.assertFalse(daemon.socket.exists())

    def test_socket_and_cache_are_the_users_alone(self):
        daemon = self.lab.daemon("private")
        self.assertEqual(os.stat(daemon.socket).st_mode & 0o777, 0o600)
        self.assertEqual(os.stat(daemon.dir / "data").st_mode & 0o777, 0o700)

    def test_another_version_of_the_api_is_told_so(self):
        daemon = self.lab.daemon("versions")
        with Control(daemon.socket) as client:
            answer = client.request("hello", api=2, client="extension", version="9")
        self.assertFalse(answer["ok"])
        self.assertIn("update", answer["text"])

    def test_a_zone_is_remembered_and_told_to_extensions(self):
        daemon = self.lab.daemon("zones", zone="off")
        with Control(daemon.socket) as extension:
            extension.request("hello", api=1, client="extension", version="1")
            daemon.run("set", "https://game.example", "fetch")
            event = extension.receive()
        self.assertEqual((event["event"], event["site"], event["zone"]), ("site.changed", "https://game.example", "fetch"))
        daemon.stop()
        daemon.start()
        with Control(daemon.socket) as client:
            self.assertEqual(client.request("site.status", site="https://game.example")["zone"], "fetch")
            self.assertEqual(client.request("site.zone", site="https://game.example", zone="default")["zone"], "off")


if __name__ == "__main__":
    unittest.main()
