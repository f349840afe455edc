"""A super-node among real visitors: `fringe supernode` over TCP, from a folder and from the site."""
# Takes long: tests/run begins with it.
import base64
import contextlib
import hashlib
import http.server
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import threading
import time
import unittest
import urllib.request

import lab
import libtorrent as lt
from lab import Daemon, WithSite, free_port, wait_for
from raw_peer import CHOKE, EXTENDED, HAVE, HAVE_ALL, INTERESTED, PIECE, REJECT, REQUEST, SUGGEST, UNCHOKE, RawPeer, RawSeed, handshake, message

FILES = {"a.js": 20000, "b.bin": 1 << 20, "c.wasm": 300000}


class Supernode(Daemon):
    """`fringe supernode`: the same control socket, and the same ways to look at it."""

    def __init__(self, of, name, port, *options):
        self.lab, self.dir, self.host, self.port = of, of.dir / name, "127.0.0.1", port
        self.dir.mkdir(exist_ok=True)
        self.socket, self.options = self.dir / "s", options
        self.start()

    def start(self):
        self.log = open(self.dir / "log", "ab")
        self.process = subprocess.Popen(
            [lab.FRINGE, "supernode", "--site", self.lab.site, "--data", self.dir / "data", "--socket", self.socket, "--listen",
             self.address(), "--log", "info", *self.options], stdout=self.log, stderr=self.log, stdin=subprocess.DEVNULL, env=lab.ENVIRONMENT)
        wait_for("the super-node", lambda: self.process.poll() is not None or self.answers())
        if self.process.poll() is not None:
            raise AssertionError("the super-node ended at once:\n" + self.text())

    def site_status(self):
        with lab.Control(self.socket) as control:
            return control.request("site.status", site=self.lab.site)


class Relay:
    """One port leads to another, as long as it is open."""

    def __init__(self, port, to):
        self.server = socket.create_server(("127.0.0.1", port), reuse_port=True)
        threading.Thread(target=self.accept, args=(to,), daemon=True).start()

    def close(self):
        self.server.shutdown(socket.SHUT_RDWR)
        self.server.close()

    def accept(self, to):
        with contextlib.suppress(OSError):
            while True:
                ends = self.server.accept()[0], socket.create_connection(("127.0.0.1", to))
                for a, b in (ends, ends[::-1]):
                    threading.Thread(target=self.pass_on, args=(a, b), daemon=True).start()

    @staticmethod
    def pass_on(a, b):
        with contextlib.suppress(OSError):
            while data := a.recv(65536):
                b.sendall(data)
            b.shutdown(socket.SHUT_WR)


BLOCK = 16384
OFFER = b"\0" + lt.bencode({b"m": {b"fringe_claim": 3, b"fringe_release": 4, b"ut_metadata": 2, b"ut_pex": 1}, b"reqq": 1})
# What a super-node may say without an end, after its handshake.
FLOODS = {
    "blocks": message(PIECE, bytes(8 + BLOCK)),
    "haves": message(HAVE, bytes(4)),
    "suggestions": message(SUGGEST, bytes(4)),
    "chokes": message(UNCHOKE) + message(CHOKE),
    "keep-alives": bytes(4),
    "extended handshakes": message(EXTENDED, OFFER),
    "one message": b"\x7f\xff\xff\xff\x07" + bytes(1 << 16),
}
# What it may say over a WebSocket instead of that.
WS_FLOODS = {
    "blocks": b"\x82\x7f" + (13 + BLOCK).to_bytes(8, "big") + FLOODS["blocks"],
    "pings": b"\x89\x7d" + bytes(125),
    "pongs": b"\x8a\0",
    "text": b"\x81\x7e\xff\xff" + b"x" * 65535,
    "a message without an end": b"\x02\x7e\xff\xff" + bytes(65535) + b"\0\x7e\xff\xff" + bytes(65535),
    "empty frames": b"\x02\0" + b"\0\0" * 4000,
    "a head without an end": None,
}


class Flooder:
    """A super-node that has nothing, answers nothing, and talks. What comes first, and then without an end."""

    def __init__(self, port, first, flood):
        self.first, self.flood, self.connections, self.sent, self.ended = first, flood, 0, 0, 0
        self.server = socket.create_server(("127.0.0.1", port))
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        with contextlib.suppress(OSError):
            while True:
                peer = self.server.accept()[0]
                self.connections += 1
                threading.Thread(target=self.talk, args=(peer,), daemon=True).start()

    def talk(self, peer):
        chunk = self.flood * max(1, 65536 // len(self.flood))
        with peer, contextlib.suppress(OSError):
            peer.sendall(self.first(peer))
            while True:
                peer.sendall(chunk)
                self.sent += len(chunk)
        self.ended += 1

    def close(self):
        self.server.shutdown(socket.SHUT_RDWR)
        self.server.close()


def accept_upgrade(peer):
    """The head that says yes to a WebSocket."""
    head = b""
    while b"\r\n\r\n" not in head:
        head += peer.recv(4096)
    key = re.search(rb"(?i)sec-websocket-key: *(\S+)", head).group(1)
    accept = base64.b64encode(hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())
    return (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Protocol: fringe.bittorrent\r\n"
            b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n")


class SupernodeBase(WithSite):
    def begin(self, sharing="peers", url=None):
        self.port = free_port()
        self.make_site(FILES, "--supernode", (url or "tcp://localhost:{port}").format(port=self.port), "--sharing", sharing)
        self.lab.origin()

    def supernode(self, *options, name="super"):
        node = Supernode(self.lab, name, self.port, *options)
        self.lab.callback(lambda: node.process.poll() is None and node.stop())
        return node

    def wait_all(self, node, size):
        wait_for("the super-node to have everything", lambda: node.site_status()["total"]["origin"] >= size, 60)

    def open_site(self, visitor):
        with lab.Control(visitor.socket) as control:
            self.assertEqual(control.request("site.open", site=self.lab.site, seq=self.lab.seq, doc="page")["state"], "ready")

    def wait_whole(self, node, source="origin"):
        whole = sum(FILES.values())
        return wait_for("the super-node to have everything", lambda: node.site_status()["total"][source] >= whole)


class SupernodeTest(SupernodeBase):
    def test_a_folder_is_given_without_a_byte_from_the_site(self):
        self.begin()
        node = self.supernode("--dir", str(self.lab.web))
        self.wait_whole(node)
        self.assertEqual(self.lab.origin_bytes("/"), 0)
        visitor = self.lab.daemon("v1")
        self.get_all(visitor)
        total = visitor.status()["total"]
        self.assertEqual((total["origin"], total["peers"]), (0, 0))
        self.assertEqual(total["supernode"], sum(FILES.values()))
        self.assertEqual(self.lab.origin_bytes(), 0)
        status = node.site_status()
        self.assertTrue(status["supernode"])
        self.assertEqual(status["spared"], {"asked": sum(FILES.values()), "shared": sum(FILES.values())})
        said = node.run("status", "--site", self.lab.site).stdout
        self.assertIn("spared     100.0 %", said)
        node.stop()
        self.assertIn("the site was spared 100.0 %", node.text())

    def test_from_the_site_once(self):
        self.begin()
        node = self.supernode()
        self.wait_whole(node)
        self.assertEqual(self.lab.origin_bytes(), sum(FILES.values()))
        for name in ("v1", "v2", "v3"):
            self.get_all(self.lab.daemon(name))
        self.assertEqual(self.lab.origin_bytes(), sum(FILES.values()))
        spared = node.site_status()["spared"]
        self.assertGreater(spared["asked"], 0)
        self.assertEqual(spared["shared"], max(0, spared["asked"] - sum(FILES.values())))
        node.stop()
        again = self.supernode()  # what it has it keeps
        self.get_all(self.lab.daemon("v4"))
        self.assertEqual(self.lab.origin_bytes(), sum(FILES.values()))
        self.assertEqual(again.site_status()["total"]["origin"], 0)

    def test_a_new_release_is_taken_from_the_folder(self):
        self.begin()
        node = self.supernode("--dir", str(self.lab.web))
        self.wait_whole(node)
        self.files["a.js"] = self.lab.write("a.js", 30000, seed=2)
        self.lab.publish("--supernode", f"tcp://localhost:{self.port}")
        wait_for("the new release", lambda: node.site_status()["release"]["seq"] == self.lab.seq, 40)
        visitor = self.lab.daemon("v1")
        wait_for("the new file", lambda: node.site_status()["total"]["origin"] >= sum(FILES.values()) + 30000)
        self.get_all(visitor)
        self.assertEqual(self.lab.origin_bytes(), 0)

    def test_a_file_that_changes_under_it_is_never_given(self):
        self.begin()
        good = (self.lab.static / "b.bin").read_bytes()
        (self.lab.static / "b.bin").write_bytes(good[:500000] + b"x" + good[500001:])
        node = self.supernode("--dir", str(self.lab.web))
        wait_for("the other files", lambda: node.site_status()["total"]["origin"] >= 320000)
        visitor = self.lab.daemon("v1")
        self.assertEqual(visitor.get(f"{self.lab.site}/static/a.js"), self.files["a.js"])
        visitor.get(f"{self.lab.site}/static/b.bin", check=False)
        (self.lab.static / "b.bin").write_bytes(good)
        self.assertEqual(self.lab.daemon("v2").get(f"{self.lab.site}/static/b.bin"), good)

    def test_supernode_only(self):
        """Visitors of such a site are connected to the super-node, and to nobody else."""
        self.begin(sharing="supernode-only")
        node = self.supernode("--dir", str(self.lab.web))
        self.wait_whole(node)
        first = self.lab.daemon("v1")
        self.get_all(first)
        second = self.lab.daemon("v2", peers=[first.address()])
        self.get_all(second)
        self.assertEqual(second.status()["total"]["supernode"], sum(FILES.values()))
        time.sleep(3)  # for PEX to have said something, if it were to
        for daemon in (first, second):
            self.assertEqual(daemon.status()["peers"], 1)
        self.assertRaises(ConnectionError, RawPeer, self, self.lab.infohash, first.port)  # nobody is let in

    def test_supernode_only_and_a_stricter_visitor(self):
        """The stricter of the two wishes holds: who only fetches gives the super-node nothing, who wants none meets nobody."""
        self.begin(sharing="supernode-only")
        node = self.supernode("--dir", str(self.lab.web))
        self.wait_whole(node)
        fetches = self.lab.daemon("fetches")
        fetches.run("set", self.lab.site, "fetch")
        self.get_all(fetches)
        self.assertEqual(fetches.status()["total"]["supernode"], sum(FILES.values()))
        self.assertEqual((fetches.status()["total"]["uploaded"], fetches.status()["peers"]), (0, 1))
        fetches.run("set", self.lab.site, "off")
        wait_for("the connection to end", lambda: fetches.status()["peers"] == 0)
        self.assertNotEqual(fetches.run("get", f"{self.lab.site}/static/a.js", "-o", os.devnull, check=False).returncode, 0)
        time.sleep(2)
        self.assertEqual(fetches.status()["peers"], 0)

    def test_it_introduces_visitors_to_each_other(self):
        self.begin()
        node = self.supernode("--dir", str(self.lab.web))
        self.wait_whole(node)
        daemons = [self.lab.daemon(name) for name in ("v1", "v2")]
        for daemon in daemons:
            daemon.get(f"{self.lab.site}/static/a.js")
        wait_for("the two to know each other", lambda: all(daemon.status()["peers"] == 2 for daemon in daemons), 90)

    def test_one_that_is_away_costs_nothing(self):
        self.begin()
        visitor = self.lab.daemon("v1")
        self.get_all(visitor)
        self.assertEqual(visitor.status()["total"]["supernode"], 0)
        node = self.supernode("--dir", str(self.lab.web))  # it comes back, and is found
        wait_for("the connection", lambda: visitor.status()["peers"] == 1, 40)
        node.stop()

    def test_the_unit_file_names_options_that_there_are(self):
        self.assertIn("\nExecStart=/usr/bin/fringe supernode $FRINGE_SUPERNODE\n", SERVICE.read_text())
        example = re.search(r'#FRINGE_SUPERNODE="(.*?)"', SERVICE.with_suffix(".default").read_text(), re.S)[1]
        words = example.replace("\\\n#", " ").split()
        known = subprocess.run([lab.FRINGE, "supernode", "--help"], capture_output=True, text=True, check=True).stdout
        self.assertGreaterEqual(len(words), 4)
        for word in words:
            if word.startswith("-"):
                self.assertIn(f"  {word} ", known)

    def test_a_stock_client_gets_everything(self):
        self.begin()
        node = self.supernode("--dir", str(self.lab.web))
        self.wait_whole(node)
        folder = self.lab.dir / "stock"
        _, handle = self.lab.libtorrent(folder, peers=[node.address()])
        wait_for("libtorrent", lambda: handle.status().is_seeding, 40)
        for path, data in self.files.items():
            self.assertEqual((folder / "static" / path).read_bytes(), data)

    def test_it_fetches_once_what_many_ask_for_before_it_is_there(self):
        """And goes on to do so when the site has gone away in the middle."""
        self.port = free_port()
        self.make_site({"big.bin": 4 << 20}, "--supernode", f"tcp://localhost:{self.port}")
        self.lab.origin(limit="512k")
        node = self.supernode()
        wait_for("the torrent", lambda: node.site_status()["state"] == "ready")
        peers = [RawPeer(self, self.lab.infohash, self.port) for _ in range(20)]
        last = len(self.files["big.bin"]) // 65536 - 1
        for peer in peers:
            self.assertEqual(peer.next(HAVE_ALL)[0], HAVE_ALL)
            peer.send(INTERESTED)
            peer.next(UNCHOKE)
            for piece in (last, last // 2):
                peer.send(REQUEST, struct.pack(">III", piece, 0, 16384))
        for peer in peers:
            for _ in range(2):
                body = peer.next(PIECE)[1]
                at = struct.unpack(">I", body[:4])[0] * 65536
                self.assertEqual(body[8:], self.files["big.bin"][at:at + 16384])
        self.assertEqual(node.site_status()["total"]["wasted"], 0)
        wait_for("the site's log", lambda: self.lab.origin_bytes() > 0)
        self.assertEqual(self.lab.origin_bytes(), 4 << 20)

    def test_a_site_that_goes_away_in_the_middle(self):
        self.port = free_port()
        self.make_site({"big.bin": 4 << 20}, "--supernode", f"tcp://localhost:{self.port}")
        nginx = self.lab.origin(limit="512k")
        node = self.supernode()
        wait_for("some of the file", lambda: node.site_status()["total"]["origin"] > 200000)
        peer = RawPeer(self, self.lab.infohash, self.port)
        peer.send(INTERESTED)
        peer.next(UNCHOKE)
        peer.send(REQUEST, struct.pack(">III", 63, 0, 16384))
        self.lab.end(nginx)
        self.assertEqual(peer.next(REJECT, PIECE)[0], REJECT)  # told, so that it asks others
        self.lab.origin()
        self.wait_all(node, 4 << 20)

    def test_visitors_do_without_one_that_stalls_or_lies(self):
        """The page gets every byte right, whatever the one that the release names does."""
        self.begin(url="tcp://localhost:{port}")
        zeros = [bytes(len(piece)) for piece in self.pieces()]
        for name, seed in (("liar", RawSeed(self.lab.infohash, zeros)), ("staller", RawSeed(self.lab.infohash, zeros))):
            with self.subTest(name):
                seed.answer = (lambda *_: None) if name == "staller" else lambda p, b, n: message(PIECE, struct.pack(">II", p, b) + bytes(n))
                relay = Relay(self.port, int(seed.address.rsplit(":", 1)[1]))
                visitor = self.lab.daemon(name)
                self.visit_all(visitor)
                self.assertGreater(seed.connections, 0)
                self.assertEqual(visitor.status()["total"]["supernode"], 0)
                relay.close()
                seed.close()

    def flooded(self, name, first, flood):
        """A visitor whose super-node floods it: the page is whole, memory does not grow with the flood, and that is ended."""
        flooder = Flooder(self.port, first, flood)
        visitor = self.lab.daemon(name.replace(" ", "-"))
        memory = visitor.memory_kb()
        self.visit_all(visitor)
        if name in ("pings", "pongs"):  # which libwebsockets answers or drops by itself, and says nothing of
            wait_for("the flood", lambda: flooder.sent > 32 << 20, 60)
        else:
            wait_for("the end of the flood", lambda: flooder.ended > 0)
        self.visit_all(visitor)
        self.assertLess(visitor.memory_kb() - memory, 32 << 10)
        self.assertLess(flooder.connections, 5, "it is not dialled again and again")
        self.assertEqual(visitor.status()["total"]["supernode"], 0)
        visitor.stop()
        flooder.close()

    def test_visitors_do_without_one_that_floods(self):
        self.begin()
        hello = handshake(self.lab.infohash) + message(EXTENDED, OFFER) + message(HAVE_ALL) + message(UNCHOKE)
        for name, flood in FLOODS.items():
            with self.subTest(name):
                self.flooded(name, lambda _: hello, flood)

    def test_visitors_do_without_one_that_floods_over_websocket(self):
        self.begin(url="ws://localhost:{port}/")
        hello = handshake(self.lab.infohash) + message(HAVE_ALL) + message(UNCHOKE)
        frame = b"\x82" + bytes([len(hello)]) + hello
        for name, flood in WS_FLOODS.items():
            with self.subTest(name):
                first = (lambda _: b"HTTP/1.1 101 Switching Protocols\r\n") if flood is None else lambda peer: accept_upgrade(peer) + frame
                self.flooded(name, first, flood or b"X-A: " + b"a" * 1000 + b"\r\n")

    def test_it_drains(self):
        """After SIGTERM what has been asked for is given, and nobody new is let in."""
        self.begin()
        node = self.supernode("--dir", str(self.lab.web))
        self.wait_whole(node)
        node.stop()
        self.assertFalse(lab.can_connect(self.port))

    def test_each_typo_is_explained(self):
        """Nothing is opened or made before all options are understood."""
        good = {"--site": "https://x.example", "--listen": "127.0.0.1:0", "--data": str(self.lab.dir / "never")}
        cases = (({"--site": None}, "--site is missing, such as"), ({"--listen": None}, "--listen is missing"),
                 ({"--site": "https://x.example/a"}, "a site is needed"), ({"--site": "x.example"}, "a site is needed, such as https://"),
                 ({"--site": "http://x.example"}, "a site is needed"), ({"--listen": "nowhere"}, "ADDR:PORT is needed"),
                 ({"--listen": "localhost:1"}, "ADDR:PORT is needed"), ({"--listen": "127.0.0.1:99999"}, "ADDR:PORT is needed"),
                 ({"--connections": "0"}, "a number from 1 to 65536"), ({"--connections": "1x"}, "a number"), ({"--connections": "65537"}, "a number"),
                 ({"--websocket": "6882"}, "ADDR:PORT is needed"), ({"--metrics": "0.0.0.0:9180"}, "on loopback"), ({"--metrics": "x"}, "on loopback"),
                 ({"--log": "loud"}, "error, warning, info or debug"), ({"--dir": "/nowhere"}, "no such folder"), ({"--dir": __file__}, "no such folder"),
                 ({"--conections": "5"}, "did you mean --connections?"), ({"--lisen": "127.0.0.1:0"}, "did you mean --listen?"),
                 ({"--nonsense": "x"}, "`fringe supernode --help` lists them"))
        words = [(([word for pair in {**good, **change}.items() if pair[1] is not None for word in pair]), says) for change, says in cases]
        whole = [word for pair in good.items() for word in pair]
        words += [([*whole, "--site"], "--site needs a value"), ([*whole, "webroot"], "takes nothing but options"),
                  ([*whole, "--site", "https://x.example"], "given twice"),
                  ([*whole, "--site", "https://y.example", "--dir", "/tmp"], "one --site"),
                  ([*whole, "--listen", "[::1]:5", "--listen", "127.0.0.1:6"], "all need the port of the first")]
        for line, says in words:
            with self.subTest(line):
                done = subprocess.run([lab.FRINGE, "supernode", *line], capture_output=True, text=True, timeout=20)
                self.assertEqual((done.returncode, done.stdout), (2, ""))
                self.assertIn(says, done.stderr)
                self.assertEqual(done.stderr.count("\n"), 1, "one line says it")
        self.assertFalse((self.lab.dir / "never").exists())
        for option, value, says in (("--ca-file", "/nowhere", "/nowhere"), ("--listen", "192.0.2.1:6881", "192.0.2.1:6881"),
                                    ("--websocket", "192.0.2.1:6882", "192.0.2.1:6882"), ("--data", "/proc/nowhere", "/proc/nowhere")):
            with self.subTest(option):
                line = [word for pair in {**good, option: value}.items() for word in pair]
                done = subprocess.run([lab.FRINGE, "supernode", *line], capture_output=True, text=True, timeout=20)
                self.assertEqual(done.returncode, 1)
                self.assertIn(says, done.stderr)

    def test_systemd_takes_the_unit_file(self):
        """(Where systemd is there: its containers have none.)"""
        program = shutil.which("systemd-analyze")
        if program is None:
            return
        unit = self.lab.dir / SERVICE.name
        unit.write_text(SERVICE.read_text().replace("/usr/bin/fringe", str(lab.FRINGE)))
        done = subprocess.run([program, "verify", "--man=no", unit], capture_output=True, text=True)
        self.assertEqual((done.returncode, [line for line in done.stderr.splitlines() if SERVICE.stem in line]), (0, []))


# What publishers are given to put in front of it.
NGINX = (lab.REPO / "installer/supernode/nginx.conf").read_text()
SERVICE = lab.REPO / "installer/supernode/fringe-supernode.service"


class WebSocketTest(SupernodeBase):
    def begin_ws(self, url="ws://localhost:{ws}/", **more):
        self.ws, self.metrics_port, self.tls = free_port(), free_port(), free_port()
        self.begin(url=url.format(ws=self.ws, tls=self.tls), **more)

    def ws_supernode(self, *options):
        node = self.supernode("--dir", str(self.lab.web), "--websocket", f"127.0.0.1:{self.ws}", "--metrics",
                              f"127.0.0.1:{self.metrics_port}", *options)
        self.wait_whole(node)
        return node

    def metrics(self):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.metrics_port}/metrics", timeout=20) as answer:
            self.assertEqual(answer.headers["Content-Type"], "text/plain; version=0.0.4; charset=utf-8")
            return parse_metrics(answer.read().decode())

    def proxy(self, name="localhost"):
        """An ordinary nginx that ends TLS, with a certificate for that name. The path of the certificate to trust."""
        home, temp = self.lab.dir / "proxy", ""
        home.mkdir()
        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"):
            temp += f"{kind}_temp_path {home}/tmp-{kind}; "
        subprocess.run([lab.tool("openssl", "openssl"), "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={name}",
                        "-addext", f"subjectAltName=DNS:{name}", "-keyout", home / "key.pem", "-out", home / "cert.pem"], check=True,
                       capture_output=True)
        (home / "conf").write_text(f"""daemon off; worker_processes 1; pid {home}/pid; error_log {home}/err;
events {{ worker_connections 256; }}
http {{ {temp} access_log {home}/log;
server {{ listen 127.0.0.1:{self.tls} ssl http2; listen [::1]:{self.tls} ssl http2;
    ssl_certificate {home}/cert.pem; ssl_certificate_key {home}/key.pem;
{NGINX.replace(":6882;", f":{self.ws};")} }} }}
""")
        process = subprocess.Popen([lab.tool("nginx", "nginx-light"), "-c", home / "conf", "-e", home / "err"], stdin=subprocess.DEVNULL,
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.lab.callback(self.lab.end, process)
        wait_for("nginx", lambda: lab.can_connect(self.tls))
        return str(home / "cert.pem")

    def test_visitors_over_websocket(self):
        self.begin_ws()
        node = self.ws_supernode()
        visitors = [self.lab.daemon(name) for name in ("v1", "v2")]
        for visitor in visitors:
            self.open_site(visitor)
            wait_for("the connection", lambda: visitor.status()["peers"] == 1)  # else the first file may be the site's: no page waits for long
            self.get_all(visitor)
        self.assertEqual(visitors[0].status()["total"]["supernode"], sum(FILES.values()))
        self.assertEqual(self.lab.origin_bytes(), 0)
        numbers = self.metrics()
        self.assertEqual(numbers['fringe_peers{transport="websocket"}'], 2)
        self.assertEqual(numbers['fringe_peers{transport="tcp"}'], 0)
        site = f'{{site="{self.lab.site}"}}'
        self.assertEqual(numbers["fringe_release_seq" + site], 1)
        self.assertEqual(numbers["fringe_held_bytes" + site], sum(FILES.values()))
        self.assertGreaterEqual(numbers["fringe_sent_bytes_total" + site], sum(FILES.values()))
        self.assertGreaterEqual(numbers["fringe_copies_saved_total" + site], 1)
        self.assertEqual(numbers['fringe_received_bytes_total{site="%s",source="folder"}' % self.lab.site], sum(FILES.values()))
        for visitor in visitors:
            visitor.stop()
        wait_for("them to have left", lambda: self.metrics()['fringe_peers{transport="websocket"}'] == 0)
        node.stop()

    def test_behind_nginx_that_ends_tls(self):
        self.begin_ws("wss://localhost:{tls}/fringe")
        node = self.ws_supernode()
        trusted = self.proxy()
        visitor = self.lab.daemon("v1", "--ca-file", trusted)
        self.get_all(visitor)
        self.assertEqual(visitor.status()["total"]["supernode"], sum(FILES.values()))
        self.assertEqual(self.lab.origin_bytes(), 0)
        visitor.stop()
        node.stop()

    def test_a_certificate_that_is_not_trusted(self):
        self.begin_ws("wss://localhost:{tls}/fringe")
        self.ws_supernode()
        self.proxy()
        visitor = self.lab.daemon("v1")
        self.get_all(visitor)  # from the site
        self.assertEqual(visitor.status()["total"]["supernode"], 0)

    def test_a_certificate_for_another_name(self):
        self.begin_ws("wss://localhost:{tls}/fringe")
        self.ws_supernode()
        trusted = self.proxy("other.example")
        visitor = self.lab.daemon("v1", "--ca-file", trusted)
        self.get_all(visitor)
        self.assertEqual(visitor.status()["total"]["supernode"], 0)

    def test_a_redirect_is_not_followed(self):
        self.begin_ws("ws://localhost:{tls}/")
        self.ws_supernode()
        home = self.lab.dir / "redirect"
        home.mkdir()

        class Redirect(http.server.BaseHTTPRequestHandler):
            def do_GET(handler):
                handler.send_response(302)
                handler.send_header("Location", f"http://localhost:{self.ws}/")
                handler.send_header("Content-Length", "0")
                handler.end_headers()

            def log_message(handler, *_):
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", self.tls), Redirect)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        visitor = self.lab.daemon("v1")
        self.get_all(visitor)
        self.assertEqual(visitor.status()["total"]["supernode"], 0)
        self.assertEqual(self.metrics()['fringe_peers{transport="websocket"}'], 0)

    # --- who does not behave

    def hello(self, *lines, protocol="fringe.bittorrent"):
        """Asks for an upgrade: (socket, the answer's head)."""
        sock = socket.create_connection(("127.0.0.1", self.ws), 20)
        self.addCleanup(sock.close)
        wanted = [f"Sec-WebSocket-Protocol: {protocol}"] if protocol else []
        sock.sendall("\r\n".join(["GET / HTTP/1.1", "Host: localhost", "Upgrade: websocket", "Connection: Upgrade",
                                  "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", *wanted, *lines, "", ""]).encode())
        head = b""
        while b"\r\n\r\n" not in head:
            more = sock.recv(4096)
            if not more:
                break
            head += more
        return sock, head.decode(errors="replace")

    @staticmethod
    def frame(opcode, data, final=True, masked=True, length=None):
        length = len(data) if length is None else length
        size = bytes([length]) if length < 126 else b"\x7e" + length.to_bytes(2, "big") if length < 65536 else b"\x7f" + length.to_bytes(8, "big")
        head = bytes([(0x80 if final else 0) | opcode, size[0] | (0x80 if masked else 0)]) + size[1:]
        return head + (b"\0\0\0\0" if masked else b"") + data  # a mask of zeros changes nothing

    def is_ended(self, sock):
        try:
            while sock.recv(65536):
                pass
        except ConnectionError:
            pass
        return True

    def test_bad_upgrades(self):
        self.begin_ws()
        node = self.ws_supernode()
        sock, head = self.hello()
        self.assertIn("101", head.split("\r\n")[0])
        self.assertIn("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", head)
        self.assertNotIn("permessage-deflate", head.lower())
        for lines, protocol in ((("Origin: https://evil.example",), "fringe.bittorrent"), ((), "chat"), ((), None)):
            with self.subTest(lines=lines, protocol=protocol):
                self.assertNotIn(" 101 ", self.hello(*lines, protocol=protocol)[1])
        plain = socket.create_connection(("127.0.0.1", self.ws), 20)
        self.addCleanup(plain.close)
        plain.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        self.assertIn(b"426", plain.recv(4096).split(b"\r\n")[0])
        endless = socket.create_connection(("127.0.0.1", self.ws), 20)
        self.addCleanup(endless.close)
        try:
            endless.sendall(b"GET / HTTP/1.1\r\n" + b"X-A: " + b"a" * 200000)
        except ConnectionError:
            pass
        self.assertTrue(self.is_ended(endless))
        slow = socket.create_connection(("127.0.0.1", self.ws), 30)
        self.addCleanup(slow.close)
        slow.sendall(b"GET / HTTP/1.1\r\nHost: ")
        self.assertTrue(self.is_ended(slow))  # a handshake has ten seconds
        self.assertTrue(self.is_ended(sock))  # and so has BitTorrent's
        self.assertIsNone(node.process.poll())
        self.get_all(self.lab.daemon("v1"))

    def test_bad_frames(self):
        self.begin_ws()
        node = self.ws_supernode()
        good = handshake(self.lab.infohash)
        for name, data in {"text": self.frame(1, b"hello"), "opcode": self.frame(3, good),
                           "a ping too long": self.frame(9, b"x" * 200), "a huge one": self.frame(2, good, length=1 << 40) + bytes(1 << 16),
                           "noise": b"\xff" * 1000, "not BitTorrent": self.frame(2, b"x" * 100)}.items():
            with self.subTest(name):
                sock, head = self.hello()
                self.assertIn(" 101 ", head)
                try:
                    sock.sendall(data)
                except ConnectionError:
                    pass
                self.assertTrue(self.is_ended(sock))
        # Borders of messages mean nothing: a handshake in pieces, in a fragmented message, is one.
        sock, _ = self.hello()
        for at in range(0, 68):
            sock.sendall(self.frame(2 if at == 0 else 0, good[at:at + 1], final=at == 67))
        answer = sock.recv(4096)
        self.assertIn(b"BitTorrent protocol", answer, node.text())
        self.assertIsNone(node.process.poll())
        self.get_all(self.lab.daemon("v1"))

    def test_places(self):
        """No more visitors than there are places, whatever they come over."""
        self.begin_ws()
        self.ws_supernode("--connections", "3")
        socks = []
        for _ in range(3):
            sock, head = self.hello()
            self.assertIn(" 101 ", head)
            sock.sendall(self.frame(2, handshake(self.lab.infohash)))
            self.assertIn(b"BitTorrent", sock.recv(4096))
            socks.append(sock)
        try:
            self.assertNotIn(" 101 ", self.hello()[1])
        except ConnectionError:
            pass
        self.assertTrue(self.is_ended(socket.create_connection(("127.0.0.1", self.port), 20)))
        self.assertGreaterEqual(self.metrics()["fringe_refused_total"], 1)
        self.get_all(self.lab.daemon("v1"))  # who finds no place goes to the site

    def test_whom_the_proxy_names(self):
        """One address has a few places of its own, as the proxy says whose a connection is."""
        self.begin_ws()
        self.ws_supernode()
        for _ in range(64):
            sock, _ = self.hello("X-Forwarded-For: 10.9.9.9, 203.0.113.7")
            sock.sendall(self.frame(2, handshake(self.lab.infohash)))
            self.assertIn(b"BitTorrent", sock.recv(4096))
        self.assertTrue(self.is_ended(self.hello("X-Forwarded-For: 203.0.113.7")[0]))
        other, _ = self.hello("X-Forwarded-For: 203.0.113.8")
        other.sendall(self.frame(2, handshake(self.lab.infohash)))
        self.assertIn(b"BitTorrent", other.recv(4096))

    def test_it_drains_over_websocket(self):
        self.begin_ws()
        node = self.ws_supernode()
        sock, _ = self.hello()
        sock.sendall(self.frame(2, handshake(self.lab.infohash) + message(INTERESTED)))
        # Some of what has been asked for is still to be sent when the end comes.
        count = 60
        sock.sendall(b"".join(self.frame(2, message(REQUEST, struct.pack(">III", 1 + n // 4, 16384 * (n % 4), 16384))) for n in range(count)))
        wait_for("the requests to be there", lambda: self.metrics()["fringe_sent_bytes_total" + f'{{site="{self.lab.site}"}}'] > 0)
        node.process.send_signal(signal.SIGTERM)
        stream = WsStream(sock)
        pieces = 0
        try:
            stream.read(68)
            while True:
                (length,) = struct.unpack(">I", stream.read(4))
                pieces += stream.read(length)[:1] == b"\x07"
        except ConnectionError:
            pass
        self.assertEqual(pieces, count)
        self.assertEqual(node.process.wait(20), 0)


class WsStream:
    """The bytes in the server's binary frames."""

    def __init__(self, sock):
        self.file, self.data = sock.makefile("rb"), b""

    def exact(self, length):
        data = self.file.read(length)
        if len(data) < length:
            raise ConnectionError("the end")
        return data

    def read(self, length):
        while len(self.data) < length:
            opcode, size = self.exact(2)
            if size == 126:
                size = int.from_bytes(self.exact(2), "big")
            elif size == 127:
                size = int.from_bytes(self.exact(8), "big")
            data = self.exact(size)
            if opcode & 15 == 8:
                raise ConnectionError("the end")
            self.data += data if opcode & 15 in (0, 2) else b""
        data, self.data = self.data[:length], self.data[length:]
        return data


def parse_metrics(text):
    """Reads the text exposition format 0.0.4 strictly: name{labels} -> value; each name has its HELP and TYPE before it."""
    values, told = {}, {}
    assert text.endswith("\n")
    for line in text.splitlines():
        if line.startswith("#"):
            word, kind, name, rest = re.fullmatch(r"(#) (HELP|TYPE) (fringe_[a-z_]+) (.+)", line).groups()
            assert kind == "HELP" or rest in ("counter", "gauge"), line
            told.setdefault(name, []).append(kind)
            continue
        name, labels, value = re.fullmatch(r'(fringe_[a-z_]+)(\{(?:[a-z_]+="[^"\\]*",?)+\})? ([0-9.]+)', line).groups()
        assert told[name] == ["HELP", "TYPE"], line
        assert (name + (labels or "")) not in values, line
        values[name + (labels or "")] = float(value)
    return values


if __name__ == "__main__":
    unittest.main()
