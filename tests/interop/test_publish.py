"""fringe keygen and fringe publish against the programs that read what they write: libtorrent and stock minisign."""
# Takes long: tests/run begins with it.
import base64
import fcntl
import hashlib
import json
import os
import pathlib
import pty
import re
import resource
import select
import shutil
import signal
import subprocess
import tempfile
import time
import unittest

from lab import wait_for

REPO = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("FRINGE_BUILD", REPO / "build"))
FRINGE = BUILD / "bin" / "fringe"
SITE = "https://game.example"
BLOCK = 16384


def libtorrent():
    try:
        import libtorrent as module
    except ImportError:
        raise AssertionError("libtorrent's Python module is missing: install the package python3-libtorrent and run /usr/bin/python3") from None
    return module


def minisign(*args, typed=None, cwd=None):
    """Stock minisign; what is typed (its password, a line each) goes in through a terminal."""
    if shutil.which("minisign") is None:
        raise AssertionError("minisign is missing: install the package minisign")
    if typed is None:
        return subprocess.run(["minisign", *map(str, args)], cwd=cwd, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    return at_terminal(["minisign", *map(str, args)], typed)


def at_terminal(command, typed, timeout=120):
    """Runs a command at a terminal of its own; answers each prompt that ends in a colon and a blank with the next line of `typed`."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.execvp(str(command[0]), list(map(str, command)))
    output, answered, deadline, lines = b"", 0, time.monotonic() + timeout, typed.splitlines()
    while time.monotonic() < deadline:
        if select.select([terminal], [], [], 1)[0]:
            try:
                got = os.read(terminal, 4096)
            except OSError:
                break
            if not got:
                break
            output += got
        prompts = output.count(b": ") if lines else 0
        if answered < len(lines) and prompts > answered and output.endswith(b": "):
            os.write(terminal, lines[answered].encode() + b"\n")
            answered += 1
    os.close(terminal)  # whoever still waits for input is hung up
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    return subprocess.CompletedProcess(command, status, output.decode(errors="replace"), "")


def pieces_root(data):
    """BEP 52's root of a file, written down once more: blocks, padded with zero hashes to a power of two."""
    level = [hashlib.sha256(data[at:at + BLOCK]).digest() for at in range(0, len(data), BLOCK)]
    level += [bytes(32)] * ((1 << (len(level) - 1).bit_length()) - len(level))
    while len(level) > 1:
        level = [hashlib.sha256(level[i] + level[i + 1]).digest() for i in range(0, len(level), 2)]
    return level[0]


class Publish(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.keys = pathlib.Path(tempfile.mkdtemp(prefix="fringe-keys-"))
        cls.addClassCleanup(shutil.rmtree, cls.keys, ignore_errors=True)
        for name in ("site", "other"):
            subprocess.run([FRINGE, "keygen", "--out", cls.keys / name, "--no-password"], check=True, capture_output=True)

    def setUp(self):
        self.root = pathlib.Path(tempfile.mkdtemp(prefix="fringe publish "))
        self.addCleanup(shutil.rmtree, self.root, ignore_errors=True)
        self.static = self.root / "static"
        self.fringe = self.root / ".well-known" / "fringe"
        self.write("a.js", b"export const a = 1;\n")
        self.write("b.css", b"body{}\n")

    def write(self, name, data, folder=None):
        path = (folder or self.static) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return path

    def publish(self, *more, folder=None, base="/static/", site=SITE, key=None, out=None):
        command = [FRINGE, "publish", folder or self.static, "--site", site, "--base", base, "--out", out or self.root]
        if key is not False:
            command += ["--key", key or self.keys / "site.key"]
        return subprocess.run([*map(str, command), *map(str, more)], capture_output=True, text=True, stdin=subprocess.DEVNULL,
                              start_new_session=True)

    def published(self, *more, **options):
        done = self.publish(*more, **options)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.output = done.stdout
        self.warnings = done.stderr
        return json.loads((self.fringe / "release.json").read_text())

    def refused(self, words, *more, status=1, **options):
        before = sorted(self.root.rglob("*"))
        done = self.publish(*more, **options)
        self.assertEqual(done.returncode, status, done.stderr)
        for word in [words] if isinstance(words, str) else words:
            self.assertIn(word, done.stderr)
        self.assertEqual(sorted(self.root.rglob("*")), before, "a refused release left something behind")

    def torrent(self, release, index=0):
        return self.fringe / (release["bundles"][index]["infohash"] + ".torrent")

    # --- what is written

    def test_writes_everything_a_site_needs(self):
        release = self.published("--version", "1.0 ü", "--tracker", "https://t.example/announce", "--tracker", "udp://t.example:6969",
                                 "--supernode", "wss://n.example/fringe", "--header", "cross-origin-embedder-policy: require-corp",
                                 "--type", ".js=text/javascript; charset=utf-8", "--expires", "30")
        self.assertEqual((release["fringe"], release["site"], release["seq"], release["version"]), (1, SITE, 1, "1.0 ü"))
        self.assertEqual(release["trackers"], ["https://t.example/announce", "udp://t.example:6969"])
        self.assertEqual(release["supernodes"], ["wss://n.example/fringe"])
        self.assertEqual(release["headers"], {"Cross-Origin-Embedder-Policy": "require-corp"})
        self.assertEqual(release["types"], {".js": "text/javascript; charset=utf-8"})
        self.assertEqual(release["expires"] - release["issued"], 30 * 86400)
        bundle = release["bundles"][0]
        self.assertEqual((bundle["base"], bundle["files"], bundle["bytes"], bundle["piece_length"]), ("/static/", 2, 27, 65536))
        for name in ("release.json", "release.json.minisig", "key.pub", "enter.html", bundle["infohash"] + ".torrent"):
            self.assertEqual(os.stat(self.fringe / name).st_mode & 0o777, 0o644 & ~self.umask(), name)
        self.assertIn(bundle["infohash"], self.output)
        self.assertIn('Link: </.well-known/fringe/release.json>; rel="fringe"; seq=1', self.output)
        self.assertEqual(self.warnings, "")
        self.assertEqual([path.name for path in self.root.rglob("*.tmp-*")], [])

    @staticmethod
    def umask():
        mask = os.umask(0)
        os.umask(mask)
        return mask

    def test_the_worker_carries_the_release(self):
        self.published()
        worker = (self.root / "fringe-sw.js").read_text()
        template = (REPO / "extension/site/fringe-sw.js").read_text()
        ours, theirs = worker.splitlines(), template.splitlines()
        changed = [(a, b) for a, b in zip(ours, theirs) if a != b]
        self.assertEqual(len(ours), len(theirs))
        self.assertEqual([a for a, _ in changed], ['const CONFIG = {"seq":1,"bases":["/static/"]}; // written by fringe publish'])

    def test_the_number_only_rises(self):
        self.assertEqual(self.published()["seq"], 1)
        self.assertEqual(self.published()["seq"], 2)
        self.write("a.js", b"changed\n")
        release = self.published()
        self.assertEqual(release["seq"], 3)
        self.assertIn('"seq":3,', (self.root / "fringe-sw.js").read_text())
        self.assertEqual(len(list(self.fringe.glob("*.torrent"))), 2)  # torrents are immutable: the old one stays

    # --- releases one after the other

    def torrents(self):
        return sorted(path.name for path in self.fringe.glob("*.torrent"))

    def test_torrents_of_the_last_releases_stay(self):
        own = self.write("0" * 64 + ".torrent", b"not from us", self.fringe)
        names = []
        for number in range(1, 6):
            self.write("a.js", b"%d\n" % number)
            names.append(self.torrent(self.published("--keep", "2")).name)
            self.assertEqual(self.torrents(), sorted([own.name, *names[-2:]]))
        self.assertIn("removed: 1 torrents of releases before the last 2", self.output)
        self.published()  # unchanged: two releases share a torrent
        self.assertEqual(self.torrents(), sorted([own.name, *names[-2:]]))
        self.published("--keep", "2")
        self.assertEqual(self.torrents(), sorted([own.name, names[-1]]))

    def test_the_history_removes_nothing_but_torrents(self):
        for number in (1, 2):
            self.write("a.js", b"%d\n" % number)
            self.published("--keep", "2")
        history = self.fringe / "history.json"
        good = json.loads(history.read_text())
        self.assertEqual([release["seq"] for release in good["releases"]], [1, 2])
        for name in ("release.json", "../../static/a.js", "a" * 64 + ".torrent/x", "A" * 64 + ".torrent"):
            good["releases"][0]["files"] = [name]
            history.write_text(json.dumps(good))
            self.published("--keep", "2")
            self.assertIn("history.json is damaged", self.warnings)
            self.assertTrue((self.static / "a.js").exists())

    def test_the_number_rises_over_an_old_release(self):
        self.published()
        old = (self.fringe / "release.json").read_bytes()
        self.published()
        (self.fringe / "release.json").write_bytes(old)
        self.assertEqual(self.published()["seq"], 3)
        (self.fringe / "release.json").unlink()
        self.assertEqual(self.published()["seq"], 4)

    def test_what_fails_halfway_leaves_the_release_before(self):
        self.published()
        before = {path: path.read_bytes() for path in self.root.rglob("*") if path.is_file()}
        self.write("a.js", b"changed\n")
        before[self.static / "a.js"] = b"changed\n"
        command = [FRINGE, "publish", self.static, "--site", SITE, "--base", "/static/", "--key", self.keys / "site.key", "--out", self.root]
        worker = (self.root / "fringe-sw.js").stat().st_size
        for limit in (0, 100, 600, 1200, worker - 1):  # a disk that is full at one file after another
            def full(limit=limit):
                signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
                resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
            done = subprocess.run(command, capture_output=True, text=True, preexec_fn=full)
            self.assertEqual(done.returncode, 1, limit)
            self.assertIn("cannot write", done.stderr)
            self.assertEqual({path: path.read_bytes() for path in self.root.rglob("*") if path.is_file()}, before, limit)
        self.assertEqual(self.published()["seq"], 2)

    def test_a_killed_publisher_breaks_nothing(self):
        """The release before or the new one is whole. Only a kill between the last two renames leaves a pair that does not belong
        together; hosts refuse it and stay with what they have, and publishing again mends it."""
        self.published()
        command = [FRINGE, "publish", self.static, "--site", SITE, "--base", "/static/", "--key", self.keys / "site.key", "--out", self.root]
        for number in range(12):
            self.write("a.js", b"%d\n" % number)
            process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            time.sleep(number * 0.01)  # anywhere in its life
            process.kill()
            process.wait()
            release = json.loads((self.fringe / "release.json").read_text())
            self.assertTrue(self.torrent(release).exists())
            if self.verify(self.fringe / "key.pub").returncode != 0:
                signed = re.search(r" seq=(\d+) ", (self.fringe / "release.json.minisig").read_text())
                self.assertLess(int(signed[1]), release["seq"])
                self.assertGreater(self.published()["seq"], release["seq"])
                self.assertEqual(self.verify(self.fringe / "key.pub").returncode, 0, number)
        self.assertGreater(self.published()["seq"], release["seq"])

    def test_the_order_of_upload(self):
        self.published("--plan", self.root / "1")
        lists = {path.name: path.read_text().splitlines() for path in self.root.glob("1.*")}
        release = json.loads((self.fringe / "release.json").read_text())
        torrent = f".well-known/fringe/{self.torrent(release).name}"
        self.assertEqual(lists, {
            "1.1-files": ["static/a.js", "static/b.css"],
            "1.2-torrents": [torrent, ".well-known/fringe/enter.html"],
            "1.3-release": [".well-known/fringe/key.pub", ".well-known/fringe/release.json", ".well-known/fringe/release.json.minisig", "fringe-sw.js"],
            "1.5-old": []})
        self.write("a.js", b"changed\n")
        self.write("#c d.js", b"new\n")
        (self.static / "b.css").unlink()
        self.published("--keep", "2", "--plan", self.root / "2")
        self.assertEqual((self.root / "2.1-files").read_text(), "static/#c d.js\nstatic/a.js\n")
        self.assertEqual((self.root / "2.5-old").read_text(), "static/b.css\n")
        positions = [self.output.index(words) for words in ("1. files", "static/a.js", "2. what", "3. the release", "release.json.minisig",
                                                            "4. the pages", "seq=2", "5. then remove", "static/b.css")]
        self.assertEqual(positions, sorted(positions))
        self.published("--keep", "2", "--plan", self.root / "3")
        self.assertEqual((self.root / "3.1-files").read_text(), "")
        self.assertEqual((self.root / "3.5-old").read_text(), torrent + "\n")

    def test_rsync_takes_the_lists(self):
        if shutil.which("rsync") is None:
            raise AssertionError("rsync is missing: install the package rsync")
        live = self.root / "live"
        live.mkdir()
        for number in (1, 2, 3):
            self.write("a.js", b"%d\n" % number)
            self.published("--keep", "2", "--plan", self.root / "plan")
            for step in ("1-files", "2-torrents", "3-release"):
                subprocess.run(["rsync", "-ac", f"--files-from={self.root}/plan.{step}", f"{self.root}/", f"{live}/"], check=True)
            subprocess.run(["xargs", "-d", "\n", "rm", "-f", "--"], cwd=live, check=True, stdin=open(self.root / "plan.5-old"))
        want = {str(path.relative_to(self.root)): path.read_bytes() for folder in (self.static, self.fringe) for path in folder.rglob("*")
                if path.is_file() and path.name != "history.json"}
        want["fringe-sw.js"] = (self.root / "fringe-sw.js").read_bytes()
        self.assertEqual({str(path.relative_to(live)): path.read_bytes() for path in live.rglob("*") if path.is_file()}, want)

    def test_equal_input_gives_an_equal_torrent(self):
        first = self.published()["bundles"]
        self.assertEqual(self.published()["bundles"], first)

    def test_other_bases_are_kept(self):
        maps = self.root / "maps"
        self.write("m1.bin", b"m" * 70000, maps)
        one = self.published()
        two = self.published(folder=maps, base="/maps/")
        self.assertEqual([bundle["base"] for bundle in two["bundles"]], ["/static/", "/maps/"])
        self.assertEqual(two["bundles"][0], one["bundles"][0])
        self.assertIn('"bases":["/static/","/maps/"]', (self.root / "fringe-sw.js").read_text())
        three = self.published("--only", folder=maps, base="/maps/")
        self.assertEqual([bundle["base"] for bundle in three["bundles"]], ["/maps/"])
        self.assertEqual(three["seq"], 3)

    def test_hidden_names_are_left_out_and_told(self):
        self.write(".git/config", b"secret")
        self.write(".env", b"secret")
        release = self.published()
        self.assertEqual(release["bundles"][0]["files"], 2)
        self.assertIn("2 hidden", self.output)

    def test_links_inside_the_folder_are_names(self):
        (self.static / "latest.js").symlink_to("a.js")
        self.write("v1/x.js", b"x")
        (self.static / "current").symlink_to("v1")
        self.assertEqual(self.published()["bundles"][0]["files"], 5)

    def test_a_base_may_be_given_as_a_url(self):
        release = self.published(base="https://Game.Example/a/static", site="https://GAME.example/", folder=self.static)
        self.assertEqual((release["site"], release["bundles"][0]["base"]), (SITE, "/a/static/"))

    def test_files_that_are_not_where_the_site_serves_them(self):
        elsewhere = self.root / "build"
        self.write("a.js", b"not the same length", elsewhere)
        self.published(folder=elsewhere)
        self.assertIn("1 of 1 files are not at", self.warnings)

    # --- libtorrent

    def fill(self):
        """Lengths around every border of blocks and pieces, names with every kind of character."""
        for length in (0, 1, 16383, 16384, 16385, 32768, 49153, 65535, 65536, 65537, 131072, 163841, 700001):
            self.write(f"sizes/{length}.bin", bytes((i * 131 + 7) & 255 for i in range(length)))
        for name in ("a b.txt", "ü/ñandú.txt", "100%.txt", "a%20b.txt", "a+b.txt", "q?x=1&y#z.txt", "日本.txt", "'quote\".txt", "~tilde;,:@.txt", "z/a../b...", "sizes.txt"):
            self.write(name, name.encode())
        self.write("same/1.bin", b"s" * 100000)
        self.write("same/2.bin", b"s" * 100000)

    def test_libtorrent_reads_the_same_torrent(self):
        lt = libtorrent()
        self.fill()
        release = self.published("--tracker", "https://t.example/announce")
        info = lt.torrent_info(str(self.torrent(release)))
        self.assertTrue(info.info_hashes().has_v2())
        self.assertFalse(info.info_hashes().has_v1())
        self.assertEqual(str(info.info_hashes().v2), release["bundles"][0]["infohash"])
        self.assertEqual(info.name(), "static")
        self.assertEqual(info.piece_length(), 65536)
        self.assertEqual([seed["url"] for seed in info.web_seeds()], [SITE + "/"])
        self.assertEqual([tracker.url for tracker in info.trackers()], ["https://t.example/announce"])
        files, seen = info.files(), 0
        for i in range(files.num_files()):
            if files.file_flags(i) & lt.file_storage.flag_pad_file:
                continue
            path = self.root / files.file_path(i)
            data = path.read_bytes()
            self.assertEqual(files.file_size(i), len(data), path)
            if data:
                self.assertEqual(bytes.fromhex(str(files.root(i))), pieces_root(data), path)
            seen += 1
        self.assertEqual(seen, release["bundles"][0]["files"])
        self.assertEqual(seen, sum(path.is_file() for path in self.static.rglob("*")))

    def test_libtorrent_makes_the_same_info_hash(self):
        lt = libtorrent()
        self.fill()
        release = self.published()
        storage = lt.file_storage()
        lt.add_files(storage, str(self.static))
        made = lt.create_torrent(storage, piece_size=65536, flags=lt.create_torrent.v2_only)
        lt.set_piece_hashes(made, str(self.root))
        info = lt.torrent_info(lt.bdecode(lt.bencode(made.generate())))
        self.assertEqual(str(info.info_hashes().v2), release["bundles"][0]["infohash"])

    def test_libtorrent_finds_every_file_right(self):
        lt = libtorrent()
        self.fill()
        release = self.published()
        session = lt.session({"listen_interfaces": "127.0.0.1:0", "enable_dht": False, "enable_lsd": False, "enable_upnp": False, "enable_natpmp": False})
        handle = session.add_torrent({"ti": lt.torrent_info(str(self.torrent(release))), "save_path": str(self.root)})
        deadline = time.monotonic() + 30
        while not handle.status().is_seeding and time.monotonic() < deadline:
            time.sleep(0.05)
        self.assertTrue(handle.status().is_seeding, handle.status().progress)

    def test_a_base_below_another_folder(self):
        lt = libtorrent()
        release = self.published(base="/a/b/static/")
        info = lt.torrent_info(str(self.torrent(release)))
        self.assertEqual((info.name(), [seed["url"] for seed in info.web_seeds()]), ("static", [SITE + "/a/b/"]))

    # --- revoke

    def revoke(self, *more, typed=None, key=None):
        command = [FRINGE, "revoke", "--site", SITE, "--key", key or self.keys / "site.key", "--out", self.root, *more]
        if typed is not None:
            return at_terminal(command, typed)
        return subprocess.run(list(map(str, command)), capture_output=True, text=True, stdin=subprocess.DEVNULL)

    def test_revoke_signs_an_empty_release(self):
        first = self.published()
        done = self.revoke("--yes")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        release = json.loads((self.fringe / "release.json").read_text())
        self.assertEqual((release["seq"], release["bundles"]), (2, []))
        self.assertGreater(release["expires"] - release["issued"], 3000 * 86400)
        self.assertEqual(self.verify(self.fringe / "key.pub").returncode, 0)
        self.assertIn('{"seq":2,"bases":[]}', (self.root / "fringe-sw.js").read_text())
        self.assertIn("`fringe publish` begins anew", done.stdout)
        self.assertTrue(self.torrent(first).exists())  # pages of release 1 may still be open
        again = self.revoke("--yes")
        self.assertEqual(again.returncode, 1)
        self.assertIn("shares nothing already", again.stderr)
        back = self.published()
        self.assertEqual((back["seq"], back["bundles"]), (3, first["bundles"]))

    def test_revoke_asks(self):
        self.published()
        done = self.revoke()
        self.assertEqual(done.returncode, 1)
        self.assertIn("say --yes", done.stderr)
        for answer in ("no\n", "y\n"):
            done = self.revoke(typed=answer)
            self.assertEqual(done.returncode, 1, done.stdout)
            self.assertIn("nothing was changed", done.stdout)
        self.assertEqual(json.loads((self.fringe / "release.json").read_text())["seq"], 1)
        done = self.revoke(typed="yes\n")
        self.assertEqual(done.returncode, 0, done.stdout)
        self.assertIn("be ready for that traffic", done.stdout)
        self.assertEqual(json.loads((self.fringe / "release.json").read_text())["bundles"], [])

    def test_revoke_refuses(self):
        done = self.revoke("--yes")
        self.assertEqual(done.returncode, 1)
        self.assertIn("no release here to revoke", done.stderr)
        self.published()
        done = self.revoke("--yes", key=self.keys / "other.key")
        self.assertEqual(done.returncode, 1)
        self.assertIn("--next-key", done.stderr)
        for options, words in ((["--siet", "x"], "did you mean --site?"), (["static"], "takes no folder"), (["--key"], "needs a value"),
                               (["--yess"], "did you mean --yes?"), (["--unsigned=1"], "takes no value"), (["--out"], "needs a value"),
                               (["--pln", "x"], "did you mean --plan?"), (["--expires", "3"], "`fringe revoke --help` lists them")):
            done = self.revoke("--yes", *options)
            self.assertEqual(done.returncode, 2)
            self.assertIn(words, done.stderr)
        given = {"--site": SITE, "--key": str(self.keys / "site.key"), "--out": str(self.root)}
        for name, value, words, status in (("--site", None, "--site is missing", 2), ("--key", None, "--key is missing", 2), ("--out", None, "--out is missing", 2),
                                           ("--site", "game.example", "write it as https://game.example", 2), ("--site", "https://other.example", "other.example", 1),
                                           ("--key", "/nowhere", "cannot read /nowhere", 1), ("--out", "/nowhere", "/nowhere", 1)):
            line = [word for pair in {**given, name: value}.items() if pair[1] is not None for word in pair]
            done = subprocess.run([FRINGE, "revoke", "--yes", *line], capture_output=True, text=True, stdin=subprocess.DEVNULL)
            self.assertEqual(done.returncode, status, (name, value, done.stderr))
            self.assertIn(words, done.stderr)
        self.assertEqual(json.loads((self.fringe / "release.json").read_text())["seq"], 1)

    def test_revoke_with_a_key_elsewhere(self):
        self.published()
        done = self.revoke("--yes", "--unsigned", key=self.keys / "site.pub")
        line = next(line for line in done.stdout.splitlines() if "minisign -S" in line)
        subprocess.run(line.replace(" KEY ", f" {self.keys}/site.key "), shell=True, check=True, capture_output=True)
        self.assertEqual(self.verify(self.fringe / "key.pub").returncode, 0)

    # --- minisign

    def verify(self, key, cwd=None):
        return minisign("-V", "-p", key, "-m", self.fringe / "release.json")

    def test_stock_minisign_accepts_the_signature(self):
        release = self.published()
        done = self.verify(self.fringe / "key.pub")
        self.assertEqual(done.returncode, 0, done.stderr)
        digest = hashlib.sha256((self.fringe / "release.json").read_bytes()).hexdigest()
        self.assertIn(f"Trusted comment: fringe=1 site={SITE} seq=1 expires={release['expires']} sha256={digest}", done.stdout)
        self.assertEqual((self.fringe / "key.pub").read_text(), (self.keys / "site.pub").read_text())
        (self.fringe / "release.json").write_bytes((self.fringe / "release.json").read_bytes() + b" ")
        self.assertNotEqual(self.verify(self.fringe / "key.pub").returncode, 0)

    def test_a_stock_key_signs_with_us(self):
        key, pub = self.root / "k.key", self.root / "k.pub"
        self.assertEqual(minisign("-G", "-W", "-p", pub, "-s", key).returncode, 0)
        self.published(key=key)
        self.assertEqual(self.verify(pub).returncode, 0)
        self.assertEqual((self.fringe / "key.pub").read_text().splitlines()[1], pub.read_text().splitlines()[1])

    def test_our_key_signs_with_stock_minisign(self):
        self.published("--unsigned", key=False)
        self.assertFalse((self.fringe / "release.json.minisig").exists())
        comment = next(line for line in self.output.splitlines() if " -t '" in line).split("-t '")[1].rstrip("'")
        done = minisign("-S", "-s", self.keys / "site.key", "-m", self.fringe / "release.json", "-t", comment)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(self.verify(self.keys / "site.pub").returncode, 0)

    def test_unsigned_with_the_public_key_here(self):
        self.refused("not a minisign public key", "--unsigned")
        self.published("--unsigned", key=self.keys / "site.pub")
        self.assertEqual((self.fringe / "key.pub").read_text(), (self.keys / "site.pub").read_text())
        line = next(line for line in self.output.splitlines() if "minisign -S" in line)
        done = subprocess.run(line.replace(" KEY ", f" {self.keys}/site.key "), shell=True, capture_output=True, text=True)  # as it stands there
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(self.verify(self.fringe / "key.pub").returncode, 0)
        self.refused(["is another", "--next-key"], "--unsigned", key=self.keys / "other.pub")

    def test_passwords_work_both_ways(self):
        stock, password = self.root / "stock.key", self.write("password", b"open sesame\n", self.root)
        wrong = self.write("wrong", b"open sesam\n", self.root)
        done = minisign("-G", "-p", self.root / "stock.pub", "-s", stock, typed="open sesame\nopen sesame\n")
        self.assertEqual(done.returncode, 0, done.stdout)
        self.refused("password for", "--password-file", wrong, key=stock)
        self.refused("use --password-file", key=stock)  # nobody to ask
        self.published("--password-file", password, key=stock)
        self.assertEqual(self.verify(self.root / "stock.pub").returncode, 0)
        subprocess.run([FRINGE, "keygen", "--out", self.root / "ours", "--password-file", password], check=True, capture_output=True)
        done = minisign("-S", "-s", self.root / "ours.key", "-m", self.fringe / "release.json", typed="open sesame\n")
        self.assertEqual(done.returncode, 0, done.stdout)
        self.assertEqual(self.verify(self.root / "ours.pub").returncode, 0)

    def test_the_password_is_asked_at_the_terminal_without_echo(self):
        done = at_terminal([FRINGE, "keygen", "--out", self.root / "typed"], "sesame\nsesame\n")
        self.assertEqual(done.returncode, 0, done.stdout)
        self.assertNotIn("sesame", done.stdout)
        done = at_terminal([FRINGE, "publish", self.static, "--site", SITE, "--base", "/static/", "--key", self.root / "typed.key",
                            "--out", self.root], "sesame\n")
        self.assertEqual(done.returncode, 0, done.stdout)
        self.assertNotIn("sesame", done.stdout)
        done = at_terminal([FRINGE, "keygen", "--out", self.root / "differ"], "one\ntwo\n")
        self.assertEqual(done.returncode, 1)
        self.assertFalse((self.root / "differ.key").exists())

    def test_keygen_keeps_what_is_there(self):
        done = subprocess.run([FRINGE, "keygen", "--out", self.keys / "site", "--no-password"], capture_output=True, text=True)
        self.assertEqual(done.returncode, 1)
        self.assertIn("is there already", done.stderr)
        self.assertEqual(os.stat(self.keys / "site.key").st_mode & 0o777, 0o600)
        for args, words in (([], "--out is missing"), (["--out"], "--out needs a value"), (["--out", ""], "--out is missing"),
                            (["--ot", "x"], "did you mean --out?"), (["--out", "x", "--nopassword"], "did you mean --no-password?"),
                            (["--out", "x", "--no-password", "--password-file", "y"], "exclude each other"),
                            (["--out", "x", "--no-password=1"], "takes no value"), (["--out", "x", "y"], "nothing but options")):
            done = subprocess.run([FRINGE, "keygen", *args], capture_output=True, text=True, stdin=subprocess.DEVNULL, cwd=self.root)
            self.assertEqual(done.returncode, 2, args)
            self.assertIn(words, done.stderr)
            self.assertEqual(done.stderr.count("\n"), 1)
        done = subprocess.run([FRINGE, "keygen", "--out", "x", "--password-file", "missing"], capture_output=True, text=True, cwd=self.root)
        self.assertEqual(done.returncode, 1)
        self.assertIn("cannot read missing", done.stderr)

    # --- refusals: files

    def test_refuses_links_out_of_the_folder(self):
        self.write("secret", b"x", self.root)
        (self.static / "l").symlink_to("../secret")
        self.refused(["a link out of the folder", "copy the file"])
        (self.static / "l").unlink()
        (self.static / "l").symlink_to("/etc")
        self.refused("a link out of the folder")
        (self.static / "l").unlink()
        (self.root / "static2").mkdir()
        self.write("x", b"x", self.root / "static2")
        (self.static / "l").symlink_to("../static2/x")  # the same beginning is not the same folder
        self.refused("a link out of the folder")

    def test_refuses_links_to_nothing_and_in_circles(self):
        (self.static / "l").symlink_to("nowhere")
        self.refused("a link to nothing")
        (self.static / "l").unlink()
        (self.static / "sub").mkdir()
        (self.static / "sub/l").symlink_to("..")
        self.refused("a link back")

    def test_refuses_names_that_no_url_has(self):
        for name in (b"back\\slash", b"new\nline", b"latin-\xe9", b"del\x7f"):
            path = os.path.join(os.fsencode(self.static), name)
            open(path, "wb").close()
            self.refused(["cannot be part of a URL", "rename it"])
            os.unlink(path)
        deep = self.static
        for _ in range(20):
            deep = deep / ("d" * 120)
            deep.mkdir()
        self.write("x", b"", deep)
        self.refused("would be longer than 2048")

    def test_refuses_folders_too_deep(self):
        deep = self.static / "/".join("d" * 50)
        deep.mkdir(parents=True)
        self.refused("folders deep")

    def test_refuses_empty_and_missing_folders(self):
        empty = self.root / "empty"
        empty.mkdir()
        self.refused("no files to share", folder=empty)
        self.write(".hidden", b"", empty)
        self.refused("begin with a dot", folder=empty)
        self.refused("not a folder", folder=self.root / "missing")
        self.refused("not a folder", folder=self.static / "a.js")

    def test_refuses_what_is_no_file(self):
        os.mkfifo(self.static / "pipe")
        self.refused("no ordinary file")

    def test_refuses_unreadable_files(self):
        if os.geteuid() == 0:  # root reads everything: run it as nobody, who may read the rest
            for path in (self.root, self.static, *self.static.iterdir()):
                path.chmod(0o755)
            self.keys.chmod(0o755)
            key = self.write("nobody.key", (self.keys / "site.key").read_bytes(), self.root)
            shutil.chown(key, "nobody")
            (self.static / "a.js").chmod(0)
            done = subprocess.run(["setpriv", "--reuid=nobody", "--clear-groups", FRINGE, "publish", self.static, "--site", SITE, "--base",
                                   "/static/", "--key", key, "--out", self.root], capture_output=True, text=True)
            self.assertEqual(done.returncode, 1)
            self.assertIn("cannot read", done.stderr)
            self.assertIn("make it readable", done.stderr)
        else:
            (self.static / "a.js").chmod(0)
            self.refused(["cannot read", "make it readable"])

    def test_refuses_a_file_that_changes_meanwhile(self):
        big = self.static / "big.bin"
        with open(big, "wb") as file:
            file.truncate(3 << 30)
        process = subprocess.Popen([FRINGE, "publish", self.static, "--site", SITE, "--base", "/static/", "--key", self.keys / "site.key",
                                    "--out", self.root], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        # By the time the big file is read, all have been seen as they were.
        open_files = pathlib.Path(f"/proc/{process.pid}/fd")
        wait_for("the big file to be read", lambda: big.resolve() in [fd.resolve() for fd in open_files.iterdir()])
        with open(self.static / "a.js", "ab") as file:
            file.write(b"more")
        _, errors = process.communicate()
        self.assertEqual(process.returncode, 1, errors)
        self.assertIn("a.js changed while it was hashed", errors)
        self.assertFalse(self.fringe.exists())

    # --- refusals: sites, bases, releases, keys

    def test_refuses_what_is_no_site(self):
        for site in ("game.example", "http://game.example", "https://game.example/path", "https://", "https://u@game.example", "ftp://game.example"):
            self.refused("--site", site=site, status=2)

    def test_refuses_bases_outside_the_site(self):
        for base in ("https://other.example/static/", "https://game.example:444/static/", "http://localhost/static/"):
            self.refused("is not under the site", base=base, status=2)
        for base in ("/", "static", "/static/../x/", "/a//b/", "/a b/", "/a%20b/", "/s?x/", "//host/x/", "/a\\b/", ""):
            self.refused("--base", base=base, status=2)

    def test_refuses_two_files_with_one_url(self):
        self.write("v1/a.js", b"outer")
        inner = self.root / "inner"
        self.write("a.js", b"inner", inner)
        self.write("c.js", b"inner", inner)
        self.published()
        self.refused(["two files would have the URL /static/v1/a.js", "--only"], folder=inner, base="/static/v1/")
        (inner / "a.js").unlink()
        release = self.published(folder=inner, base="/static/v1/")
        self.assertEqual(len(release["bundles"]), 2)
        self.write("v1/c.js", b"outer too")
        self.refused("two files would have the URL /static/v1/c.js")

    def test_refuses_the_same_folder_twice(self):
        self.published()
        done = self.publish(base="/other/static/")
        self.assertEqual(done.returncode, 1)
        self.assertIn("exactly the same files", done.stderr)

    def test_refuses_another_sites_release(self):
        self.published()
        self.refused(["is a release of https://game.example, not of https://other.example"], site="https://other.example")

    def test_refuses_a_damaged_release_or_torrent(self):
        release = self.published()
        self.torrent(release).write_bytes(b"d")
        maps = self.root / "maps"
        self.write("m.bin", b"m", maps)
        self.refused(["damaged", "cannot be kept", "--only"], folder=maps, base="/maps/")
        (self.fringe / "release.json").write_text("{")
        self.refused("is damaged")

    def test_refuses_a_key_that_hosts_would_not_take(self):
        self.published()
        self.refused(["is another", "--next-key"], key=self.keys / "other.key")
        release = self.published("--next-key", self.keys / "other.pub")
        self.assertEqual(release["next_key"], (self.keys / "other.pub").read_text().splitlines()[1])
        self.assertEqual(self.published(key=self.keys / "other.key")["seq"], 3)
        self.assertEqual(self.published("--new-key")["seq"], 4)

    def test_refuses_keys_of_another_kind(self):
        self.refused("is a public key", key=self.keys / "site.pub")
        self.refused("not a minisign secret key", key=self.write("k", b"-----BEGIN OPENSSH PRIVATE KEY-----\nb3Bl\n", self.root))
        self.refused("cannot read", key=self.root / "missing.key")
        damaged = (self.keys / "site.key").read_text().splitlines()
        raw = bytearray(base64.b64decode(damaged[1]))
        raw[80] ^= 1
        damaged[1] = base64.b64encode(raw).decode()
        self.refused("damaged", key=self.write("k", "\n".join(damaged).encode() + b"\n", self.root))

    def test_refuses_a_worker_of_the_sites_own(self):
        own = self.write("fringe-sw.js", b"self.addEventListener('fetch', () => {});\n", self.root)
        self.refused("rename it")
        self.assertIn(b"addEventListener", own.read_bytes())

    def test_refuses_two_publishers_at_once(self):
        folder = os.open(self.root, os.O_RDONLY)
        fcntl.flock(folder, fcntl.LOCK_EX)
        self.refused("another `fringe publish`")
        os.close(folder)
        self.published()

    def test_refuses_a_missing_webroot(self):
        self.refused("make it first", out=self.root / "missing", status=2)

    def test_each_typo_is_explained(self):
        typos = ((["--trackr", "https://t.example/"], "did you mean --tracker?"),
                 (["--tracker", "t.example"], "is not a tracker: http://, https:// or udp:// with a port"),
                 (["--tracker", "udp://t.example"], "with a port"),
                 (["--supernode", "ws://n.example/"], "tcp://host:port or wss://host/path"),
                 (["--version"], "--version needs a value"),
                 (["--version", "v" * 65], "at most 64 bytes"),
                 (["--expires", "1y"], "a number of days up to 3650"),
                 (["--expires", "3651"], "a number of days up to 3650"),
                 (["--header", "SourceMap"], "write it as 'Name: value'"),
                 (["--header", "Set-Cookie: a"], "Possible are"),
                 (["--header", "SourceMap: \x01"], "plain ASCII"),
                 (["--header", "SourceMap: a", "--header", "sourcemap: b"], "given twice"),
                 (["--type", "js=text/javascript"], "write it as .ext=type/subtype"),
                 (["--type", ".js"], "write it as .ext=type/subtype"),
                 (["--type", ".js=a/b", "--type", ".JS=c/d"], "given twice"),
                 (["--sharing", "all"], "peers or supernode-only"),
                 (["--keep", "1"], "2 to 100"), (["--keep", "x"], "2 to 100"), (["--keep", "101"], "2 to 100"),
                 (["--only=yes"], "--only takes no value"),
                 (["--plan", ""], "--plan is empty"),
                 (["--site", SITE], "--site is given twice"),
                 (["--key", "x"], "--key is given twice"),
                 (["--password-file"], "--password-file needs a value"),
                 (["--next-keys", "x"], "did you mean --next-key?"),
                 (["--s", "x"], "more than one begins so"),
                 (["--nonsense"], "`fringe publish --help` lists them"),
                 (["-x"], "there is no option -x"),
                 (["maps"], "one folder at a time"))
        for options, words in typos:
            with self.subTest(options):
                self.refused(words, *options, status=2)
        self.refused("not a minisign public key", "--next-key", self.keys / "site.key")
        self.refused("give the public key of the new pair", "--next-key", self.keys / "site.pub")
        self.refused("cannot read", "--next-key", self.root / "missing")
        self.refused("there is no folder", "--plan", self.root / "missing" / "plan", status=2)
        missing = {"DIR": "which folder", "--site": "--site is missing", "--base": "--base is missing", "--out": "--out is missing", "--key": "--key is missing"}
        for name, words in missing.items():
            given = {"--site": SITE, "--base": "/static/", "--out": self.root, "--key": self.keys / "site.key"}
            given.pop(name, None)
            command = [FRINGE, "publish", *([] if name == "DIR" else [self.static]), *(word for pair in given.items() for word in pair)]
            done = subprocess.run(command, capture_output=True, text=True)
            self.assertEqual(done.returncode, 2)
            self.assertIn(words, done.stderr)

    def test_refuses_wrong_options(self):
        wrong = (["--tracker", "t.example"], ["--tracker", "udp://t.example"], ["--supernode", "https://n.example"], ["--header", "Set-Cookie: a=b"],
                 ["--header", "SourceMap"], ["--header", "SourceMap: a\nb"], ["--type", "js=text/javascript"], ["--type", ".js=text"],
                 ["--expires", "0"], ["--expires", "x"], ["--version", "v" * 65], ["--version", "a\x1bb"], ["--sharing", "friends"], ["--what"], ["extra"],
                 ["--unsigned", "--password-file", "x"], ["--tracker", "https://t.example/"] * 17, ["--header", "SourceMap: a"] * 2)
        for options in wrong:
            with self.subTest(options):
                self.assertEqual(self.publish(*options).returncode, 2)
        self.assertFalse(self.fringe.exists())
        for command in ([], ["what"], ["publish"], ["get"], ["set", "x"], ["status", "x"]):
            with self.subTest(command):
                self.assertEqual(subprocess.run([FRINGE, *command], capture_output=True).returncode, 2)
        for command in (["help"], ["--help"], ["--version"], ["publish", "--help"], ["keygen", "--help"], ["get", "--help"]):
            with self.subTest(command):
                done = subprocess.run([FRINGE, *command], capture_output=True)
                self.assertEqual((done.returncode, done.stderr), (0, b""))


if __name__ == "__main__":
    unittest.main()
