"""The commands that talk to a running daemon: get, status, sites, set, stop."""
import functools
import http.server
import json
import os
import pathlib
import shutil
import socket
import struct
import subprocess
import tempfile
import threading
import time
import unittest

REPO = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("FRINGE_BUILD", REPO / "build"))
FRINGE = BUILD / "bin" / "fringe"
FILES = {"a.bin": os.urandom(300_001), "ü b+c%.js": b"export {};\n", "empty": b""}


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


class Client(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="fringe-client-"))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.socket = self.folder / "d.sock"

    def fringe(self, *args, status=0, **env):
        done = subprocess.run([FRINGE, *map(str, args)], capture_output=True, env={**os.environ, **env}, timeout=60)
        self.assertEqual(done.returncode, status, done.stderr)
        return done

    def serve_site(self):
        root = self.folder / "root"
        (root / "static").mkdir(parents=True)
        for name, data in FILES.items():
            (root / "static" / name).write_bytes(data)
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(root)))
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        self.site = f"http://localhost:{server.server_port}"
        self.fringe("keygen", "--out", self.folder / "k", "--no-password")
        self.fringe("publish", root / "static", "--site", self.site, "--base", "/static/", "--key", self.folder / "k.key", "--out", root)

    def start_daemon(self, zone="share"):
        daemon = subprocess.Popen([FRINGE, "daemon", "--data", self.folder / "data", "--socket", self.socket, "--listen", "127.0.0.1:0",
                                   "--zone", zone])
        self.addCleanup(daemon.wait)
        self.addCleanup(daemon.kill)
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            if subprocess.run([FRINGE, "status", "--socket", self.socket], capture_output=True).returncode == 0:
                return daemon
            time.sleep(0.05)
        self.fail("the daemon does not start")

    def test_get_status_sites_set_stop(self):
        self.serve_site()
        daemon = self.start_daemon()
        here = ["--socket", self.socket]
        out = self.folder / "out"
        self.assertEqual(self.fringe("get", self.site + "/static/a.bin", "-o", out, *here).stdout, b"")
        self.assertEqual(out.read_bytes(), FILES["a.bin"])
        self.assertEqual(self.fringe("get", self.site + "/static/ü b+c%25.js", *here).stdout, FILES["ü b+c%.js"])
        self.assertEqual(self.fringe("get", self.site + "/static/empty", FRINGE_SOCKET=str(self.socket)).stdout, b"")

        done = self.fringe("get", self.site + "/static/none", "-o", self.folder / "none", *here, status=1)
        self.assertIn(b"(not-listed)", done.stderr)
        self.assertFalse((self.folder / "none").exists())
        self.assertIn(b"(no-release)", self.fringe("get", "http://localhost:1/x", *here, status=1).stderr)
        self.assertIn(b"https://game.example", self.fringe("get", "nonsense", *here, status=2).stderr)

        answer = json.loads(self.fringe("status", "--json", *here).stdout)
        self.assertEqual((answer["pid"], answer["default_zone"], answer["ok"]), (daemon.pid, "share", True))
        self.assertGreaterEqual(answer["total"]["origin"], 300_000)
        text = self.fringe("status", *here).stdout.decode()
        self.assertIn(f"process {daemon.pid}", text)
        self.assertIn("from the sites", text)

        self.assertEqual(self.fringe("set", self.site, "off", *here).stdout.decode(), f"{self.site}: off\n")
        self.assertIn(b"`fringe set SITE fetch`", self.fringe("get", self.site + "/static/a.bin", *here, status=1).stderr)
        line = next(row for row in self.fringe("sites", *here).stdout.decode().splitlines() if row.startswith(self.site))
        self.assertEqual(line.split()[1:3], ["off", "chosen"])
        self.assertIn(self.site, [site["site"] for site in json.loads(self.fringe("sites", "--json", *here).stdout)["sites"]])
        self.assertEqual(self.fringe("set", self.site, "default", *here).stdout.decode(), f"{self.site}: share\n")
        self.fringe("set", self.site, "sideways", *here, status=2)
        self.assertIn(b"new sites  fetch", self.fringe("set", "--default-zone", "fetch", *here).stdout)
        self.assertEqual(self.fringe("set", self.site, "default", *here).stdout.decode(), f"{self.site}: fetch\n")
        self.fringe("set", "--default-zone", "default", *here, status=2)

        self.fringe("stop", *here)
        self.assertEqual(daemon.wait(20), 0)
        self.assertIn(b"no host answers at", self.fringe("status", *here, status=1).stderr)

    def test_answers_of_a_strange_host(self):
        """What stands at the socket may be anything."""
        def frame(value):
            text = value if isinstance(value, bytes) else json.dumps(value).encode()
            return struct.pack("=I", len(text)) + text

        hello = frame({"id": 1, "ok": True, "api": 1})
        rows = {"closes": (b"", "closed"), "garbage": (frame(b"[]"), "no JSON object"), "huge": (b"\xff\xff\xff\xff", "over the limit"),
                "old": (frame({"id": 1, "ok": True, "api": 7, "version": "9"}), "another version (9)"),
                "refuses": (hello + frame({"event": "x"}) + frame({"id": 2, "ok": False, "error": "failed", "text": "bad\x1b[31m day"}), "bad?[31m day (failed)"),
                "duplicate": (b'' + frame(b'{"id":1,"id":1,"ok":true,"api":1}'), "no JSON object")}
        for name, (answer, expected) in rows.items():
            with self.subTest(name):
                path = self.folder / name
                server = socket.socket(socket.AF_UNIX)
                server.bind(str(path))
                server.listen(1)

                def serve():
                    client = server.accept()[0]
                    client.recv(4096)
                    client.sendall(answer)
                    client.shutdown(socket.SHUT_WR)
                    while client.recv(4096):
                        pass
                    client.close()

                thread = threading.Thread(target=serve)
                thread.start()
                done = self.fringe("status", "--socket", path, status=1)
                thread.join()
                server.close()
                self.assertIn(expected, done.stderr.decode())
                self.assertEqual(done.stdout, b"")


if __name__ == "__main__":
    unittest.main()
