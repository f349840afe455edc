"""Hostile input against the real daemon: refused with a reason, logged once, nothing served, nothing crashed."""
import http.client
import json
import shutil
import struct
import unittest
import urllib.parse

from lab import Control, WithSite


class WithDaemon(WithSite):
    def setUp(self):
        super().setUp()
        self.make_site({"a.bin": 300_000, "b.bin": 10, "c.TAR.gz": 10, "d.gz": 10}, "--type", ".gz=application/x-one", "--type",
                       ".tar.gz=application/x-longest")
        self.lab.origin()
        self.daemon = self.lab.daemon("ours")

    def assert_alive(self):
        self.assertEqual(self.daemon.get(f"{self.lab.site}/static/b.bin"), self.files["b.bin"])


class Gateway(WithDaemon):
    def setUp(self):
        super().setUp()
        with Control(self.daemon.socket) as control:
            self.url = control.request("asset.want", site=self.lab.site, seq=1, path="/static/a.bin", doc="d")["url"]
        self.parts = urllib.parse.urlsplit(self.url)
        self.token = self.parts.path.split("/")[1]

    def ask(self, path=None, method="GET", **headers):
        connection = http.client.HTTPConnection("127.0.0.1", self.parts.port, timeout=20)
        self.addCleanup(connection.close)
        connection.putrequest(method, path or self.parts.path, skip_host="Host" in headers)
        for name, value in headers.items():
            connection.putheader(name, value)
        connection.endheaders()
        answer = connection.getresponse()
        return answer.status, answer.read(), answer.headers

    def test_the_file_and_its_headers(self):
        status, body, headers = self.ask()
        self.assertEqual((status, body), (200, self.files["a.bin"]))
        self.assertEqual(headers["X-Content-Type-Options"], "nosniff")
        self.assertNotIn("Access-Control-Allow-Origin", headers)

    def test_the_media_type_of_the_longest_suffix(self):
        wanted = {"c.TAR.gz": "application/x-longest", "d.gz": "application/x-one", "a.bin": "application/octet-stream"}
        for name, media_type in wanted.items():
            self.assertEqual(self.ask(self.parts.path.replace("a.bin", name))[2]["Content-Type"], media_type, name)

    def test_ranges(self):
        for text, want in (("bytes=0-9", (206, slice(0, 10))), ("bytes=299990-", (206, slice(299990, None))),
                           ("bytes=-5", (206, slice(-5, None))), ("bytes=5-2", (200, slice(None))), ("bytes=0-1,4-5", (200, slice(None))),
                           ("lines=1-2", (200, slice(None)))):
            with self.subTest(text):
                status, body, _ = self.ask(Range=text)
                self.assertEqual((status, body), (want[0], self.files["a.bin"][want[1]]))
        self.assertEqual(self.ask(Range="bytes=300000-")[0], 416)

    def test_what_is_refused(self):
        seq = self.parts.path.split("/")[2]
        base = f"/{self.token}/{seq}"
        for name, path, statuses in (
                ("another token", f"/{'0' * 32}/{seq}/static/a.bin", {403}),
                ("no token", "/static/a.bin", {400, 404}),
                ("another release", f"/{self.token}/99/static/a.bin", {404}),
                ("dots", f"{base}/static/../static/a.bin", {400, 404}),
                ("encoded dots", f"{base}/static/%2e%2e/static/a.bin", {400, 404}),
                ("backslash", f"{base}/static\\a.bin", {400, 404}),
                ("another host", f"{base}//other.example/a.bin", {400, 404}),
                ("a query", f"{base}/static/a.bin?x=1", {400, 404}),
                ("not listed", f"{base}/index.html", {404})):
            with self.subTest(name):
                status, body, _ = self.ask(path)
                self.assertIn(status, statuses)
                self.assertNotEqual(body, self.files["a.bin"])
        self.assertEqual(self.ask(method="POST")[0], 405)
        self.assertEqual(self.ask(method="DELETE")[0], 405)
        for host in ("game.example", f"localhost:{self.parts.port}", "127.0.0.1"):
            self.assertEqual(self.ask(Host=host)[0], 400, host)

    def test_head(self):
        status, body, headers = self.ask(method="HEAD")
        self.assertEqual((status, body, headers["Content-Length"]), (200, b"", "300000"))

    def test_a_token_opens_one_site_only(self):
        with Control(self.daemon.socket) as control:
            other = control.request("asset.want", site="http://localhost:1", seq=1, path="/static/a.bin", doc="d")
        self.assertEqual(other["via"], "origin")


class Socket(WithDaemon):
    def test_bad_frames_end_one_client_only(self):
        for frame in (struct.pack("=I", 0x7FFFFFFF), struct.pack("=I", 3) + b"[1]", struct.pack("=I", 5) + b"\xff\xfe{}!",
                      struct.pack("=I", 70000) + bytes(70000)):
            with self.subTest(frame[:8]), Control(self.daemon.socket) as client:
                client.send_raw(frame)
                with self.assertRaises(ConnectionError):
                    client.receive()
        self.assert_alive()

    def test_bad_requests_are_answered_with_a_code(self):
        with Control(self.daemon.socket) as client:
            for code, message in (("unknown-type", {"type": "rm"}), ("bad-site", {"type": "site.open", "site": "ftp://x"}),
                                  ("bad-site", {"type": "site.open", "site": "https://a.example/path"}),
                                  ("bad-path", {"type": "asset.want", "site": "https://a.example", "path": "no-slash", "seq": 1, "doc": "d"}),
                                  ("bad-zone", {"type": "site.zone", "site": "https://a.example", "zone": "everything"})):
                client.last += 1
                client.send({"id": client.last, **message})
                answer = client.receive()
                self.assertEqual((answer["ok"], answer["error"]), (False, code), answer)
                self.assertTrue(answer["text"])
            for path in ("/static/../b.bin", "/static/%2e%2e/b.bin", "/static\\b.bin", "//other.example/b.bin"):
                answer = client.request("asset.want", site=self.lab.site, seq=1, path=path, doc="d")
                self.assertNotEqual(answer.get("via"), "gateway", path)

    def test_a_thousand_unknown_sites_do_not_hurt(self):
        with Control(self.daemon.socket) as client:
            for number in range(1000):
                client.request("site.status", site=f"https://s{number}.example")
        self.assert_alive()


class Releases(WithDaemon):
    def want(self):
        with Control(self.daemon.socket) as control:
            answer = control.request("asset.want", site=self.lab.site, seq=1, path="/static/a.bin", doc="d")
        return answer.get("reason")

    def release_file(self):
        return self.lab.web / ".well-known/fringe/release.json"

    def test_changed_after_signing(self):
        self.release_file().write_text(self.release_file().read_text().replace('"seq"', '"Seq"', 1))
        self.assertEqual(self.want(), "bad-signature")

    def test_another_sites_release(self):
        release = json.loads(self.release_file().read_text())
        self.assertEqual(release["site"], self.lab.site)
        shutil.rmtree(self.lab.web / ".well-known")
        self.lab.site, real = "https://other.example", self.lab.site
        self.lab.publish()
        self.lab.site = real
        self.assertEqual(self.want(), "wrong-site")

    def test_a_torrent_cut_short(self):
        self.lab.torrent.write_bytes(self.lab.torrent.read_bytes()[:-20])
        self.assertEqual(self.want(), "bad-torrent")

    def test_html_and_an_endless_release(self):
        self.release_file().write_text("<!doctype html><title>Not found</title>")
        self.assertIn(self.want(), {"bad-signature", "bad-release"})
        with open(self.release_file(), "wb") as file:
            file.truncate(3 << 30)
        other = self.lab.daemon("other")
        with Control(other.socket) as control:
            answer = control.request("asset.want", site=self.lab.site, seq=1, path="/static/a.bin", doc="d")
        self.assertEqual(answer["reason"], "no-release")

    def test_no_release_at_all(self):
        shutil.rmtree(self.lab.web / ".well-known")
        self.assertEqual(self.want(), "no-release")


if __name__ == "__main__":
    unittest.main()
