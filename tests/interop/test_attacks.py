"""Each attack of the table in host/PROTOCOL.md 1.5 against the real daemon: the web server is scripted, and in the attacker's hands."""
import hashlib
import http.server
import json
import pathlib
import random
import struct
import subprocess
import threading
import time
import unittest

from control import Control
from lab import WithSite, free_port, tool, wait_for
from raw_peer import RawPeer

SITE_FILES = "/.well-known/fringe/"
RELEASE, SIGNATURE = SITE_FILES + "release.json", SITE_FILES + "release.json.minisig"
OLD_SIGNATURE = SITE_FILES + "release.json.old.minisig"
HAVE, ASK, WHOLE = range(3)
HIGHEST = 2**53 - 1


class Origin(http.server.ThreadingHTTPServer):
    """Serves the folder, but for what `instead` says: path -> bytes, or a function of the handler."""
    daemon_threads = True

    def __init__(self, port, root):
        self.root, self.instead, self.asked = root, {}, []
        super().__init__(("127.0.0.1", port), Handler)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_GET(self):
        self.server.asked.append(self.path)
        instead = self.server.instead.get(self.path)
        file = pathlib.Path(self.server.root) / self.path.lstrip("/")
        if callable(instead):
            instead(self)
        elif instead is not None or file.is_file():
            self.body(instead if instead is not None else file.read_bytes())
        else:
            self.send_error(404)

    def body(self, data):
        etag = '"%s"' % hashlib.sha256(data).hexdigest()[:16]
        self.send_response(304 if self.headers.get("If-None-Match") == etag else 200)
        self.send_header("ETag", etag)
        if self.headers.get("If-None-Match") == etag:
            self.end_headers()
            return
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


class Attacks(WithSite):
    def setUp(self):
        super().setUp()
        self.key = self.new_key("key")
        self.files = {"a.js": self.lab.write("a.js", 20000), "b.bin": self.lab.write("b.bin", 200000)}
        self.lab.publish()
        self.origin = Origin(self.lab.origin_port, self.lab.web)
        threading.Thread(target=self.origin.serve_forever, daemon=True).start()
        self.addCleanup(self.origin.server_close)
        self.addCleanup(self.origin.shutdown)
        self.daemon = self.lab.daemon("v")
        self.assertEqual(self.open(1)["state"], "ready")
        self.get_all(self.daemon)

    # --- what a page and the popup see

    def request(self, kind, **more):
        with Control(self.daemon.socket) as control:
            return control.request(kind, site=self.lab.site, **more)

    def open(self, seq, doc="doc"):
        return self.request("site.open", seq=seq, doc=f"{doc}{seq}")

    def life(self):
        return self.request("site.status")["life"]

    def check_refused(self, seq, *reasons):
        """The page of that number goes to the site, and the old release stays what it was."""
        answer = self.open(seq)
        self.assertEqual(answer["state"], "failed", answer)
        self.assertIn(answer["reason"], reasons)
        self.assertEqual(self.request("site.status")["release"]["seq"], 1)
        self.assertEqual(self.daemon.visit(self.lab.site, ["/static/a.js"])["/static/a.js"], (200, self.files["a.js"]))

    # --- what an owner, or an attacker, makes

    def new_key(self, name):
        if not (self.lab.dir / f"{name}.key").exists():
            self.lab.fringe("keygen", "--out", str(self.lab.dir / name), "--no-password")
        return self.lab.dir / f"{name}.key"

    def public(self, name):
        return (self.lab.dir / f"{name}.pub").read_text().splitlines()[1]

    def sign(self, data, key, comment=None, **fields):
        """The signature file of those bytes, by stock minisign."""
        release = {**(json.loads(data) if data[:1] == b"{" else {}), **fields}
        comment = comment or "fringe=1 site=%s seq=%s expires=%s sha256=%s" % (
            release.get("site"), release.get("seq"), release.get("expires"), hashlib.sha256(data).hexdigest())
        file = self.lab.dir / "to-sign"
        file.write_bytes(data)
        subprocess.run([tool("minisign", "minisign"), "-S", "-s", key, "-m", file, "-t", comment], check=True, stdin=subprocess.DEVNULL,
                       stdout=subprocess.DEVNULL)
        return (self.lab.dir / "to-sign.minisig").read_bytes()

    def release(self, **changes):
        release = json.loads((self.lab.web / RELEASE[1:]).read_text())
        return json.dumps({**release, "seq": release["seq"] + 1, **changes}).encode()

    def show(self, data, signature):
        self.origin.instead.update({RELEASE: data, SIGNATURE: signature})

    def show_signed(self, **changes):
        data = self.release(**changes)
        self.show(data, self.sign(data, self.key))

    # --- the attacks

    def test_arbitrary_installation(self):
        """Anybody's release, and anybody's files with the owner's signature of others."""
        data, thief = self.release(), self.new_key("thief")
        self.show(data, self.sign(self.release(version="another"), self.key, seq=2))
        self.check_refused(2, "bad-signature")
        self.show(b"<!doctype html>", b"<!doctype html>")
        self.check_refused(3, "bad-signature", "bad-release")
        self.show(data, self.sign(data, thief))
        self.assertEqual(self.open(4)["reason"], "key-changed")

    def test_rollback(self):
        old = {path: (self.lab.web / path[1:]).read_bytes() for path in (RELEASE, SIGNATURE)}
        self.show_signed(seq=5)
        self.assertEqual(self.open(5)["state"], "ready")
        self.origin.instead.update(old)
        self.assertEqual(self.open(6)["reason"], "rollback")
        self.assertEqual(self.request("site.status")["release"]["seq"], 5)
        self.daemon.stop()
        self.daemon.start()  # nor after a new start
        self.assertEqual(self.open(7)["reason"], "rollback")
        self.assertEqual(self.request("site.status")["release"]["seq"], 5)

    def test_two_releases_of_one_number(self):
        self.show_signed(seq=1, version="another")
        self.check_refused(2, "rollback")

    def test_freeze(self):
        """What is never replaced is not shared for ever; nor is it by a host that was off meanwhile."""
        self.show_signed(expires=int(time.time()) + 4)
        self.assertEqual(self.open(2)["state"], "ready")
        wait_for("the end of the release", lambda: self.life() == "expired")
        self.assertEqual(self.open(2)["reason"], "expired")
        self.daemon.stop()
        self.daemon.start()
        self.assertEqual(self.life(), "expired")
        self.show_signed(issued=int(time.time()) - 100, expires=int(time.time()) - 10, seq=3)
        self.assertEqual(self.open(3)["reason"], "expired")

    def test_fast_forward(self):
        """Whoever has the key may use up the numbers; a new key that the old one has signed takes over."""
        self.show_signed(seq=HIGHEST)
        self.assertEqual(self.open(HIGHEST)["state"], "ready")
        self.show_signed(seq=HIGHEST + 1)
        self.assertEqual(self.open(HIGHEST - 1)["state"], "failed")
        new = self.new_key("new")
        data = self.release(seq=7, next_key=self.public("new"))
        self.show(data, self.sign(data, new))
        self.origin.instead[OLD_SIGNATURE] = self.sign(data, self.key)
        # (Who holds the highest number sees it when it polls: tests/sim/test_life.c.)
        self.origin.instead[SITE_FILES + "key.pub"] = (self.lab.dir / "new.pub").read_bytes()
        other = self.lab.daemon("w")
        with Control(other.socket) as control:
            self.assertEqual(control.request("site.open", site=self.lab.site, seq=7, doc="d")["state"], "ready")

    def test_mix_and_match(self):
        """A bundle of another release, and a torrent that is not the one that was signed."""
        data = self.release()
        self.show(data, (self.lab.web / SIGNATURE[1:]).read_bytes())  # the new list, the old signature
        self.check_refused(2, "bad-signature")
        self.show(data, self.sign(data, self.key, seq=9))  # a comment of another number
        self.check_refused(3, "bad-release")
        old = self.lab.torrent.read_bytes()
        self.lab.write("a.js", 20001, seed=2)
        self.lab.publish()
        self.origin.instead = {f"{SITE_FILES}{self.lab.infohash}.torrent": old}
        self.assertEqual(self.open(2)["state"], "ready")
        with Control(self.daemon.socket) as control:
            answer = control.request("asset.want", site=self.lab.site, seq=2, path="/static/a.js", doc="m")
        self.assertEqual((answer["via"], answer["reason"]), ("origin", "bad-torrent"))

    def test_endless_data(self):
        def endless(handler):
            handler.send_response(200)
            handler.end_headers()
            try:
                while True:
                    handler.wfile.write(bytes(65536))
            except OSError:
                handler.close_connection = True

        memory = self.daemon.memory_kb()
        self.origin.instead = {RELEASE: endless, SIGNATURE: endless}
        self.check_refused(2, "no-release")
        self.assertLess(self.daemon.memory_kb() - memory, 16 << 10)

    def test_slow_retrieval(self):
        def slow(handler):
            handler.send_response(200)
            handler.send_header("Content-Length", "300")
            handler.end_headers()
            try:
                while True:
                    handler.wfile.write(b"u")
                    time.sleep(0.5)
            except OSError:
                handler.close_connection = True

        self.origin.instead = {RELEASE: slow, SIGNATURE: slow}
        begun = time.monotonic()
        self.check_refused(2, "failed", "no-release", "seq-mismatch")
        self.assertLess(time.monotonic() - begun, 20)

    def test_wrong_file(self):
        """The web server has another file than was signed: the page gets nothing of it from us."""
        wrong = random.Random(1).randbytes(20001)
        self.files["a.js"] = self.lab.write("a.js", 20001, seed=3)
        self.lab.publish()
        self.origin.instead = {"/static/a.js": wrong}
        self.assertEqual(self.open(2)["state"], "ready")
        status, body = self.daemon.visit(self.lab.site, ["/static/a.js"])["/static/a.js"]
        self.assertNotEqual(status, 200)
        self.assertEqual(body and body in wrong, b"")

    def test_wrong_site(self):
        """Another site's release, well signed by the same owner."""
        data = self.release(site="https://other.example")
        self.show(data, self.sign(data, self.key))
        self.check_refused(2, "wrong-site")

    def test_key_change(self):
        thief = self.new_key("thief")
        data = self.release(next_key=self.public("thief"))  # it names itself, which is worth nothing
        self.show(data, self.sign(data, thief))
        self.origin.instead[SITE_FILES + "key.pub"] = (self.lab.dir / "thief.pub").read_bytes()
        self.origin.instead[OLD_SIGNATURE] = self.sign(data, thief)
        self.assertEqual(self.open(2)["reason"], "key-changed")
        self.assertEqual((self.life(), self.open(1)["reason"]), ("blocked", "key-changed"))
        self.origin.instead = {}
        self.daemon.stop()
        self.daemon.start()
        self.assertEqual(self.life(), "blocked")  # until the right key is seen again
        self.open(1, "again")
        wait_for("the right key's release", lambda: self.life() == "current")

    def test_key_rotation(self):
        new = self.new_key("new")
        data = self.release(next_key=self.public("new"))
        self.show(data, self.sign(data, new))
        self.origin.instead[OLD_SIGNATURE] = self.sign(data, self.key)
        self.assertEqual(self.open(2)["state"], "ready")
        data = self.release(seq=3)
        self.show(data, self.sign(data, self.key))  # the old key counts no more
        self.assertEqual(self.open(3)["reason"], "key-changed")

    def test_revoked(self):
        """The owner's kill switch: nothing of any release is used or shared."""
        self.show_signed(bundles=[])
        self.assertEqual(self.open(2)["reason"], "revoked")
        self.assertEqual((self.life(), self.open(1)["reason"]), ("blocked", "revoked"))
        self.daemon.stop()
        self.daemon.start()
        self.assertEqual(self.open(1, "again")["reason"], "revoked")
        with self.assertRaises(ConnectionError):
            RawPeer(self, self.lab.infohash, self.daemon.port, offers={})

    # --- by peers

    def peer(self):
        peer = RawPeer(self, self.lab.infohash, self.daemon.port, offers={"fringe_release": 9})
        while "fringe_release" not in peer.ids:
            peer.any()
        return peer

    def message(self, kind, seq, data=b"", signature=b""):
        mark = hashlib.sha256(self.lab.site.encode()).digest()[:8]
        head = struct.pack(">BBH8sQ", 1, kind, 0, mark, seq)
        return head + (struct.pack(">II", len(data), len(signature)) + data + signature if kind == WHOLE else b"")

    def test_a_push_that_is_forged(self):
        data = self.release()
        signature = self.sign(data, self.key)
        peer = self.peer()
        peer.send_extended("fringe_release", self.message(WHOLE, 2, data.replace(b"static", b"statiC"), signature))
        self.assertTrue(peer.ended())
        self.assertEqual(self.request("site.status")["release"]["seq"], 1)

    def test_a_push_that_the_site_does_not_show(self):
        data = self.release()
        signature = self.sign(data, self.key)
        looks = self.origin.asked.count(SIGNATURE)
        peer = self.peer()
        peer.send_extended("fringe_release", self.message(HAVE, 2))
        while peer.extended(9)[1] != ASK:  # first it says what it has
            pass
        peer.send_extended("fringe_release", self.message(WHOLE, 2, data, signature))
        wait_for("the site to be asked", lambda: self.origin.asked.count(SIGNATURE) > looks)
        self.assertEqual(self.request("site.status")["release"]["seq"], 1)
        # It is told to others all the same, and counts as soon as the site shows it: that it is asked for by a page helps.
        self.show(data, signature)
        self.assertEqual(self.open(2)["state"], "ready")

    def test_a_push_that_the_site_shows(self):
        data = self.release()
        signature = self.sign(data, self.key)
        peer = self.peer()
        self.show(data, signature)
        asked = self.origin.asked.count(RELEASE)
        peer.send_extended("fringe_release", self.message(WHOLE, 2, data, signature))
        wait_for("the new release", lambda: self.request("site.status")["release"]["seq"] == 2)
        self.assertEqual(self.origin.asked.count(RELEASE), asked)

    # --- an origin that does not do its part

    def test_a_redirect_is_not_followed(self):
        """Neither to elsewhere on the site, nor to another server, nor to one without TLS; and no other address is asked."""
        other = Origin(free_port(), self.lab.web)
        threading.Thread(target=other.serve_forever, daemon=True).start()
        self.addCleanup(other.server_close)
        self.addCleanup(other.shutdown)
        self.show_signed()
        signature = self.origin.instead[SIGNATURE]
        self.origin.instead["/elsewhere"] = signature
        other.instead.update(self.origin.instead)
        port = other.server_address[1]
        targets = (f"http://127.0.0.1:{self.lab.origin_port}/elsewhere", f"http://localhost:{port}{SIGNATURE}", f"https://localhost:{port}{SIGNATURE}",
                   "/elsewhere", "file:///etc/passwd")
        for number, (status, target) in enumerate(zip((301, 302, 307, 308, 303), targets)):
            with self.subTest(target):
                self.origin.instead[SIGNATURE] = redirect(status, target)
                self.check_refused(2 + number, "no-release")
        self.assertNotIn("/elsewhere", self.origin.asked)
        self.assertEqual(other.asked, [])
        self.origin.instead[SIGNATURE] = signature
        self.assertEqual(self.open(2, "again")["state"], "ready")

    def test_html_for_the_fingerprint(self):
        """A catch-all page, with the status of success: when the site is new, and when it is looked at again."""
        page = b"<!doctype html><title>Not found</title>" + b"x" * 400
        self.show_signed()
        self.origin.instead[SIGNATURE] = page
        self.check_refused(2, "bad-release", "bad-signature")
        other = self.lab.daemon("w")
        with Control(other.socket) as control:
            self.assertIn(control.request("site.open", site=self.lab.site, seq=2, doc="d")["reason"], ("bad-release", "bad-signature"))
        self.show_signed(seq=3)
        self.assertEqual(self.open(3)["state"], "ready")

    def test_an_origin_that_goes_away_half_way(self):
        """In the middle of each small document, with or without a length; then it is back."""
        self.show_signed()
        whole = dict(self.origin.instead)
        seq = 2
        for path in (SIGNATURE, RELEASE):
            for length in (len(whole[path]), None):
                with self.subTest(path, length=length):
                    self.origin.instead = {**whole, path: cut(whole[path], length)}
                    answer = self.open(seq)
                    self.assertEqual(answer["state"], "failed", answer)
                    self.assertEqual(self.request("site.status")["release"]["seq"], 1)
                    self.assertEqual(self.daemon.visit(self.lab.site, ["/static/a.js"])["/static/a.js"], (200, self.files["a.js"]))
                    seq += 1
        self.origin.instead = whole
        self.assertEqual(self.open(2, "again")["state"], "ready")

    def test_an_origin_that_is_gone(self):
        """The old release goes on as long as it is valid; what is not there is the page's to fetch."""
        self.origin.shutdown()
        self.origin.server_close()
        self.check_refused(2, "no-release", "seq-mismatch")
        self.get_all(self.daemon)
        self.daemon.stop()
        self.daemon.start()
        self.assertEqual(self.open(1, "again")["state"], "ready")
        self.get_all(self.daemon)

    # --- a key that is on another machine

    def publish_unsigned(self):
        """The line that is printed for that machine, without `minisign -S -s KEY -m FILE`: the trusted comment."""
        self.lab.write("a.js", 21000, seed=9)
        done = self.lab.fringe("publish", str(self.lab.static), "--site", self.lab.site, "--base", "/static/", "--unsigned", "--key",
                               str(self.lab.dir / "key.pub"), "--out", str(self.lab.web))
        return next(line for line in done.stdout.splitlines() if "minisign -S" in line).split("-t '")[1].rstrip("'")

    def minisign(self, comment, key="key"):
        subprocess.run([tool("minisign", "minisign"), "-S", "-s", self.new_key(key), "-m", self.lab.web / RELEASE[1:], "-t", comment], check=True,
                       stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)

    def test_stock_minisign_signs_what_was_published_unsigned(self):
        comment = self.publish_unsigned()
        self.check_refused(2, "bad-signature", "no-release")  # not signed yet
        for number, wrong in enumerate((comment.replace("seq=2", "seq=3"), comment.replace(self.lab.site, "https://other.example"),
                                        comment[:-1] + ("0" if comment[-1] != "0" else "1"), comment.replace("expires=", "expires=1"), "",
                                        "timestamp:1 file:release.json")):
            with self.subTest(wrong):
                self.minisign(wrong)
                self.check_refused(3 + number, "bad-release", "wrong-site", "bad-signature")
        self.minisign(comment)
        self.assertEqual(self.open(2, "signed")["state"], "ready")
        self.files["a.js"] = (self.lab.static / "a.js").read_bytes()
        self.get_all(self.daemon)

    def test_an_unsigned_release_that_the_wrong_key_signs(self):
        comment = self.publish_unsigned()
        self.minisign(comment, key="thief")
        self.assertEqual(self.open(2)["reason"], "key-changed")
        self.assertEqual(self.life(), "blocked")
        self.minisign(comment)
        self.daemon.stop()
        self.daemon.start()  # else it would not ask so soon again
        self.assertEqual(self.life(), "blocked")
        wait_for("the right key's release", lambda: self.open(2, "again")["state"] == "ready", 60)


def redirect(status, target):
    def answer(handler):
        handler.send_response(status)
        handler.send_header("Location", target)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    return answer


def cut(data, length):
    """Half of it, and then the server is gone."""
    def answer(handler):
        handler.send_response(200)
        if length is not None:
            handler.send_header("Content-Length", str(length))
        handler.end_headers()
        handler.wfile.write(data[:len(data) // 2])
        handler.close_connection = True

    return answer


if __name__ == "__main__":
    unittest.main()
