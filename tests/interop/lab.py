"""What the interop tests are made of: a published site on a real nginx, our daemons, stock libtorrent sessions, opentracker.

Everything runs on loopback in one temporary folder and ends with the test. A tool that is not installed is a failure which
names its Debian package.
"""
import concurrent.futures
import contextlib
import hashlib
import http.client
import json
import os
import pathlib
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import urllib.parse

try:
    import libtorrent as lt
except ImportError as error:
    raise SystemExit("libtorrent for Python is missing: install the package python3-libtorrent") from error

REPO = pathlib.Path(__file__).resolve().parents[2]
sys.path.append(str(REPO / "tests" / "lib"))
from control import Control  # noqa: E402

# What is freed counts as memory as long as AddressSanitizer keeps it; 256 MiB, unless told otherwise.
ENVIRONMENT = {**os.environ, "ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") + ":quarantine_size_mb=4"}

BUILD = pathlib.Path(os.environ.get("FRINGE_BUILD", REPO / "build"))
FRINGE = BUILD / "bin" / "fringe"


def tool(name, package):
    path = shutil.which(name, path=os.environ["PATH"] + ":/usr/sbin:/sbin")
    if path is None:
        raise AssertionError(f"{name} is missing: install the package {package}")
    return path


def free_port():
    """A port that nobody has; not one of those that the system gives to outgoing connections, which could take it at once."""
    while True:
        port = random.SystemRandom().randrange(10000, 32000)  # tests run side by side, and seed the other one
        with socket.socket() as tcp, socket.socket(type=socket.SOCK_DGRAM) as udp:
            try:
                tcp.bind(("127.0.0.1", port))
                udp.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue


def port_of(session):
    """Where a libtorrent session listens, for `peers`."""
    return f"127.0.0.1:{session.listen_port()}"


def wait_for(what, condition, seconds=20):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.02)
    raise AssertionError(f"waited {seconds} s in vain for {what}")


def can_connect(port):
    with socket.socket() as s:
        return s.connect_ex(("127.0.0.1", port)) == 0


class Daemon:
    """One `fringe daemon` with a cache of its own."""
    before = ()  # words before the program

    def __init__(self, lab, name, *options, peers=(), zone="share", host="127.0.0.1"):
        self.lab = lab
        self.dir = lab.dir / name
        self.dir.mkdir(exist_ok=True)
        self.socket = self.dir / "s"
        self.host = host
        self.port = free_port()
        self.options = [*options, "--zone", zone]
        for peer in peers:
            self.options += ["--peer", peer]
        self.process = None
        self.start()

    def start(self):
        self.log = open(self.dir / "log", "ab")
        self.process = subprocess.Popen(
            [*self.before, FRINGE, "daemon", "--data", self.dir / "data", "--socket", self.socket, "--listen", self.address(),
             "--log", "info", *self.options], stdout=self.log, stderr=self.log, stdin=subprocess.DEVNULL, env=ENVIRONMENT)
        wait_for("the daemon", lambda: self.process.poll() is not None or self.answers())
        if self.process.poll() is not None:
            raise AssertionError("the daemon ended at once:\n" + self.text())

    def answers(self):
        with socket.socket(socket.AF_UNIX) as s:
            return s.connect_ex(str(self.socket)) == 0

    def text(self):
        return (self.dir / "log").read_text(errors="replace")

    def address(self):
        return f"{self.host}:{self.port}"

    def stop(self, number=signal.SIGTERM):
        if self.process.poll() is None:
            self.process.send_signal(number)
            self.process.wait(20)
        self.log.close()
        if number == signal.SIGTERM and self.process.returncode != 0:
            raise AssertionError(f"the daemon ended with {self.process.returncode}:\n" + self.text())

    def end(self):
        """At the end of a test: one that has ended by itself must not have crashed."""
        if self.process.poll() is None:
            self.stop()
        elif "Sanitizer" in self.text() or "runtime error:" in self.text():
            raise AssertionError("the daemon crashed:\n" + self.text()[-4000:])

    def run(self, command, *words, check=True, timeout=120):
        done = subprocess.run([FRINGE, command, *words, "--socket", self.socket], capture_output=True, text=True, timeout=timeout)
        if check and done.returncode != 0:
            raise AssertionError(f"fringe {command} failed: {done.stderr}\n{self.text()}")
        return done

    def status(self):
        return json.loads(self.run("status", "--json").stdout)

    def get(self, url, check=True, timeout=120):
        out = self.dir / "out"
        done = self.run("get", url, "-o", str(out), check=check, timeout=timeout)
        return out.read_bytes() if done.returncode == 0 else None

    def visit(self, site, paths, connections=6):
        """What a page does: wants all paths, and reads them from the gateway over a few connections. path -> (status, body)."""
        with Control(self.socket) as control:
            answers = {path: control.request("asset.want", site=site, seq=self.lab.seq, path=path, doc="page") for path in paths}
        local = threading.local()

        def read(item):
            path, answer = item
            if answer.get("via") != "gateway":
                return path, (0, json.dumps(answer).encode())
            url = urllib.parse.urlsplit(answer["url"])
            if not hasattr(local, "connection"):
                local.connection = http.client.HTTPConnection(url.hostname, url.port, timeout=120)
            local.connection.request("GET", url.path)
            response = local.connection.getresponse()
            try:
                return path, (response.status, response.read())
            except http.client.IncompleteRead as error:  # an honest end: go on at the origin
                local.connection.close()
                return path, (response.status, error.partial)

        with concurrent.futures.ThreadPoolExecutor(connections) as pool:
            return dict(pool.map(read, answers.items()))

    def memory_kb(self):
        """What the process has in memory, resident."""
        text = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(text.split("VmRSS:")[1].split()[0])


class Lab(contextlib.ExitStack):
    """A temporary folder with a site in it, and all that a test starts."""

    def __enter__(self):
        super().__enter__()
        self.dir = pathlib.Path(self.enter_context(tempfile.TemporaryDirectory(prefix="fringe-interop-")))
        self.dir.chmod(0o755)  # nginx's worker is another user
        self.web = self.dir / "web"
        self.static = self.web / "static"
        self.static.mkdir(parents=True)
        self.origin_port = free_port()
        self.site = f"http://localhost:{self.origin_port}"
        return self

    def write(self, path, size, seed=1):
        data = random.Random(f"{seed}{path}{size}").randbytes(size)
        file = self.static / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
        return data

    def fringe(self, *words):
        done = subprocess.run([FRINGE, *words], capture_output=True, text=True, timeout=300)
        if done.returncode != 0:
            raise AssertionError(f"fringe {words[0]} failed: {done.stderr}")
        return done

    def publish(self, *options):
        secret = self.dir / "key.key"
        if not secret.exists():
            self.fringe("keygen", "--out", str(self.dir / "key"), "--no-password")
        self.fringe("publish", str(self.static), "--site", self.site, "--base", "/static/", "--key", str(secret), "--out",
                    str(self.web), *options)
        release = json.loads((self.web / ".well-known/fringe/release.json").read_text())
        self.seq = release["seq"]
        if release["bundles"]:  # a large site has a catalog instead
            self.infohash = release["bundles"][0]["infohash"]
            self.torrent = self.web / f".well-known/fringe/{self.infohash}.torrent"
        return release

    def publish_in_pieces(self, piece_length):
        """A release whose torrent libtorrent has made, in larger pieces than ours, and whose signature minisign has."""
        release = self.publish()
        storage = lt.file_storage()
        lt.add_files(storage, str(self.static))
        made = lt.create_torrent(storage, piece_size=piece_length, flags=lt.create_torrent.v2_only)
        made.add_url_seed(self.site + "/")
        lt.set_piece_hashes(made, str(self.web))
        torrent = lt.bencode(made.generate())
        self.infohash = str(lt.torrent_info(lt.bdecode(torrent)).info_hashes().v2)
        self.torrent = self.web / f".well-known/fringe/{self.infohash}.torrent"
        self.torrent.write_bytes(torrent)
        release["bundles"][0].update(infohash=self.infohash, piece_length=piece_length)
        file = self.web / ".well-known/fringe/release.json"
        file.write_text(json.dumps(release))
        digest = hashlib.sha256(file.read_bytes()).hexdigest()
        comment = f"fringe=1 site={self.site} seq={self.seq} expires={release['expires']} sha256={digest}"
        subprocess.run([tool("minisign", "minisign"), "-S", "-s", self.dir / "key.key", "-m", file, "-t", comment], check=True,
                       stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)

    def origin(self, limit=0):
        """nginx with the site; limit: bytes a second for each answer, as nginx writes them."""
        conf = self.dir / "nginx.conf"
        temp = " ".join(f"{kind}_temp_path {self.dir}/tmp-{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        conf.write_text(f"""daemon off; worker_processes 1; pid {self.dir}/nginx.pid; error_log {self.dir}/nginx.err;
events {{ worker_connections 1024; }}
http {{ {temp} log_format bytes '$status $body_bytes_sent $request_uri'; access_log {self.dir}/access.log bytes;
limit_rate {limit}; server {{ listen 127.0.0.1:{self.origin_port}; listen [::1]:{self.origin_port}; root {self.web}; }} }}
""")
        process = subprocess.Popen([tool("nginx", "nginx-light"), "-c", conf, "-e", self.dir / "nginx.err"], stdin=subprocess.DEVNULL,
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.callback(self.end, process)
        wait_for("nginx", lambda: can_connect(self.origin_port))
        return process

    def make_certificates(self):
        """For localhost, site.pem with site.key; who trusts ca.pem trusts it."""
        script = """openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=test-ca -keyout ca.key -out ca.pem &&
            printf 'subjectAltName=DNS:localhost\\n' >ext &&
            openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=localhost -keyout site.key -out site.csr &&
            openssl x509 -req -in site.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile ext -out site.pem"""
        tool("openssl", "openssl")
        subprocess.run(script, shell=True, cwd=self.dir, check=True, capture_output=True)

    def tracker(self):
        port = free_port()
        home = self.dir / "tracker"
        home.mkdir()
        home.chmod(0o777)
        # Debian's opentracker serves only the hashes of its white list, which it reads in its own chroot.
        (home / "list").write_text(self.infohash[:40] + "\n")
        process = subprocess.Popen([tool("opentracker", "opentracker"), "-i", "127.0.0.1", "-p", str(port), "-P", str(port), "-d", home,
                                    "-w", "/list"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.callback(self.end, process)
        wait_for("opentracker", lambda: can_connect(port))
        return f"http://127.0.0.1:{port}/announce"

    def origin_bytes(self, prefix="/static/"):
        log = self.dir / "access.log"
        total = 0
        for line in log.read_text().splitlines() if log.exists() else []:
            _, size, path = line.split(" ", 2)
            total += int(size) if path.startswith(prefix) else 0
        return total

    def daemon(self, name, *options, **more):
        daemon = Daemon(self, name, *options, **more)
        self.callback(daemon.end)
        return daemon

    def libtorrent(self, folder, seed=False, peers=(), trackers=(), settings=None, host="127.0.0.1", magnet=False):
        """A session with our torrent in it: (session, handle). Web seeds are off: only peers count here. With magnet it knows only
        the info-hash."""
        session = lt.session({"listen_interfaces": f"{host}:{free_port()}", "enable_dht": False, "enable_lsd": False,
                              "enable_upnp": False, "enable_natpmp": False, "enable_outgoing_utp": False, "enable_incoming_utp": False,
                              "allow_multiple_connections_per_ip": True,
                              "alert_mask": lt.alert.category_t.all_categories & ~lt.alert.category_t.stats_notification,
                              **(settings or {})})
        params = lt.parse_magnet_uri(f"magnet:?xt=urn:btmh:1220{self.infohash}") if magnet else lt.add_torrent_params()
        if not magnet:
            params.ti = lt.torrent_info(str(self.torrent))
        params.save_path = str(folder)
        params.trackers = list(trackers)
        params.peers = [(p.rsplit(":", 1)[0].strip("[]"), int(p.rsplit(":", 1)[1])) for p in peers]
        params.flags &= ~(lt.torrent_flags.auto_managed | lt.torrent_flags.paused)
        params.flags |= lt.torrent_flags.override_web_seeds | lt.torrent_flags.override_trackers
        handle = session.add_torrent(params)
        self.callback(session.pause)
        if seed:
            wait_for("libtorrent to check its files", lambda: handle.status().is_seeding)
        return session, handle

    @staticmethod
    def end(process):
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def alerts(session):
    """What libtorrent has to say, for the message of a failed test."""
    return "\n".join(str(alert) for alert in session.pop_alerts())[-4000:]


class WithSite(unittest.TestCase):
    """A test with a lab of its own, and with files that are published in it."""

    def setUp(self):
        self.lab = Lab().__enter__()
        self.addCleanup(self.lab.__exit__, None, None, None)

    def make_site(self, sizes, *options):
        self.files = {path: self.lab.write(path, size) for path, size in sizes.items()}
        self.lab.publish(*options)

    def pieces(self, length=65536):
        """The torrent's pieces: files in the order of the file tree, a new piece for each."""
        paths = sorted(self.files, key=lambda path: [part.encode() for part in path.split("/")])
        return [self.files[path][at:at + length] for path in paths for at in range(0, len(self.files[path]), length)]

    def get_all(self, daemon):
        for path, data in self.files.items():
            self.assertEqual(daemon.get(f"{self.lab.site}/static/{path}"), data, path)

    def wrong_files(self, daemon):
        """Has a page read every file, and says which it did not get right: path -> (status, length)."""
        got = daemon.visit(self.lab.site, [f"/static/{path}" for path in self.files])
        return {path: (got[f"/static/{path}"][0], len(got[f"/static/{path}"][1])) for path, data in self.files.items()
                if got[f"/static/{path}"] != (200, data)}

    def get_in_the_end(self, daemon, seconds=60):
        """A page that waits too long is told to go to the origin. Where this has nothing, it asks again."""
        wait_for("all files", lambda: not self.wrong_files(daemon), seconds)

    def visit_all(self, daemon):
        wrong = self.wrong_files(daemon)
        self.assertEqual(len(wrong), 0, f"{list(wrong.items())[:5]}\n{daemon.text()[-2000:]}")

    def assert_complete(self, session, handle, folder, seconds=60):
        try:
            wait_for("libtorrent to finish", lambda: handle.status().is_seeding, seconds)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{alerts(session)}") from None
        # It says that it seeds before its disk thread has written everything.
        for path, data in self.files.items():
            wait_for(f"libtorrent to write {path}", lambda: (folder / "static" / path).read_bytes() == data, seconds)
