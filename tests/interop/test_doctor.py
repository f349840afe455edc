"""fringe doctor: what is right is said to be, what is broken is named with what to do, and the browser is told the same."""
import json
import os
import pathlib
import shutil
import socket
import sqlite3
import struct
import subprocess
import time
import unittest

from lab import BUILD, ENVIRONMENT, FRINGE, REPO, WithSite, tool, wait_for

NATIVE = BUILD / "bin" / "fringe-native"
YEAR = 365 * 86400
HOST = "org.fringe.host.json"
FIREFOX = ".mozilla/native-messaging-hosts/" + HOST
CHROMIUM = ".config/chromium/NativeMessagingHosts/" + HOST
FRAME = b'{"id":7,"type":"doctor"}'


class Doctor(WithSite):
    """A visitor of their own: home, programs on the PATH, and what all users have below `root`."""

    def setUp(self):
        super().setUp()
        self.home, self.root, self.bin = (self.lab.dir / name for name in ("home", "root", "bin"))
        for folder in (self.home, self.root, self.bin):
            folder.mkdir()
        self.runtime = self.lab.dir / "run"
        self.runtime.mkdir(mode=0o700)
        self.data = self.home / ".local/share/fringe"
        self.env = {key: value for key, value in ENVIRONMENT.items() if not key.startswith(("XDG_", "FRINGE_"))}
        self.env.update(HOME=str(self.home), XDG_RUNTIME_DIR=str(self.runtime), PATH=str(self.bin))

    def manifest(self, path, family, program=NATIVE, **changes):
        made = json.loads((REPO / f"manifests/org.fringe.host.{family}.json.in").read_text().replace("@PATH@", str(program)))
        file = self.home / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps({**made, **changes}))
        return file

    def both(self):
        self.manifest(FIREFOX, "firefox")
        self.manifest(CHROMIUM, "chromium")

    def start(self, before=(), env=()):
        process = subprocess.Popen([*before, FRINGE, "daemon", "--listen", "127.0.0.1:0", "--zone", "share", "--no-port-map"],
                                   env={**self.env, **dict(env)}, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        wait_for("the daemon", lambda: self.call("status").returncode == 0)
        return process

    def stop(self, process):
        self.call("stop")
        process.wait(20)

    def call(self, *words, before=(), **env):
        return subprocess.run([*before, FRINGE, *map(str, words)], env={**self.env, **env}, capture_output=True, text=True, timeout=100)

    def doctor(self, status=None, **how):
        """{area: [(finding, seen, next), ...]}, from the report for programs; the text says the same."""
        done = self.call("doctor", "--json", "--root", self.root, **how)
        answer = json.loads(done.stdout)
        lines = {}
        for line in answer["lines"]:
            lines.setdefault(line["area"], []).append((line["status"], line["seen"], line["next"]))
            self.assertIn(line["seen"], answer["text"])
            self.assertIn(line["next"], answer["text"])
            self.assertEqual(line["next"] == "", line["status"] == "ok", line)
        worst = max((line["status"] for line in answer["lines"]), key=("ok", "warn", "fail").index)
        self.assertEqual(answer["status"], worst)
        self.assertEqual(done.returncode, int(worst == "fail"), answer["text"])
        if status:
            self.assertEqual(worst, status, answer["text"])
        return lines

    def finds(self, area, finding, *words, **how):
        lines = self.doctor(**how)
        self.assertTrue([line for line in lines.get(area, []) if line[0] == finding and all(word in line[1] + line[2] for word in words)],
                        f"no {finding} of {area} with {words} in {json.dumps(lines, indent=1)}")
        return lines


class Right(Doctor):
    def test_everything(self):
        self.make_site({"a.bin": 70000})
        self.lab.origin()
        self.both()
        self.start()
        lines = self.doctor("ok")
        self.assertEqual({"programs", "Firefox", "Chromium", "socket", "host", "cache", "disk", "port", "router", "gateway", "file", "clock"}, set(lines))
        self.assertIn("not tried", lines["file"][0][1])
        self.assertIn("5.0 GB that it may take", lines["disk"][0][1])
        # A page has had a file: the very same comes through the gateway.
        self.assertEqual(self.call("get", f"{self.lab.site}/static/a.bin", "-o", self.lab.dir / "a").returncode, 0)
        [(_, seen, _)] = wait_for("a line in the log", lambda: "came" in (lines := self.doctor("ok"))["file"][0][1] and lines["file"])
        self.assertIn("/static/a.bin: 66 kB came through the gateway", seen)
        text = self.call("doctor", "--root", self.root)
        self.assertEqual(text.returncode, 0)
        self.assertTrue(text.stdout.endswith("\nAll is well.\n"), text.stdout)

    def test_no_daemon_is_no_failure(self):
        self.both()
        lines = self.finds("host", "warn", "none runs now", "fringe daemon")
        self.assertNotIn("port", lines)
        self.assertFalse(self.data.exists(), "nothing is made")

    def test_the_browser_is_told_the_same(self):
        self.both()
        self.start()
        process = subprocess.Popen([NATIVE], env=self.env, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.addCleanup(process.kill)
        for part in (struct.pack("=I", len(FRAME)), FRAME[:5], FRAME[5:]):  # as Firefox writes it, and slower
            process.stdin.write(part)
            process.stdin.flush()
        out, _ = process.communicate(timeout=60)
        answer = json.loads(out[4:])
        self.assertEqual(struct.unpack("=I", out[:4])[0], len(out) - 4)
        self.assertEqual((answer["id"], answer["ok"]), (7, True))
        areas = {line["area"]: line for line in answer["lines"]}
        self.assertEqual(areas["host"]["status"], "ok")
        self.assertIn("All is well" if answer["status"] == "ok" else "warning", answer["text"])


class Native(Doctor):
    """What the browser starts answers, whatever is broken behind it."""

    def ask(self, program=NATIVE, frame=FRAME):
        done = subprocess.run([program], input=struct.pack("=I", len(frame)) + frame, env=self.env, capture_output=True, timeout=60)
        return done, json.loads(done.stdout[4:]) if done.stdout else None

    def copy(self):
        folder = self.lab.dir / "copy"
        folder.mkdir()
        shutil.copy(NATIVE, folder)
        return folder / "fringe-native"

    def test_a_daemon_that_cannot_start(self):
        self.runtime.chmod(0o755)
        (self.runtime / "fringe").write_text("in the way of the folder")
        self.data.mkdir(parents=True)
        (self.data / "daemon.log").write_text("fringe: error: an old one\n")
        _, answer = self.ask()
        hosts = [line for line in answer["lines"] if line["area"] == "host"]
        self.assertEqual([line["status"] for line in hosts], ["fail"], answer["text"])
        self.assertIn("daemon.log", hosts[0]["next"])
        self.assertIn("fringe: ", hosts[0]["seen"])

    def test_fringe_is_gone(self):
        done, answer = self.ask(self.copy())
        self.assertEqual((answer["id"], answer["status"]), (7, "fail"))
        self.assertIn("No such file", answer["text"])
        self.assertIn("installer/install", answer["lines"][0]["next"])
        self.assertEqual(done.returncode, 1)

    def test_other_first_frames_without_a_daemon_get_nothing(self):
        for frame in (b'{"id":7,"type":"hello"}', b'{"id":7,"type":"x\\"type\\":\\"doctor\\""}', b"{" * 300, b""):
            done, answer = self.ask(self.copy() if not (self.lab.dir / "copy").exists() else self.lab.dir / "copy/fringe-native", frame)
            self.assertIsNone(answer)
            self.assertEqual(done.returncode, 1)

    def test_only_as_a_first_frame(self):
        self.start()
        hello = b'{"id":1,"type":"hello","api":1,"client":"cli","version":"1"}'
        process = subprocess.Popen([NATIVE], env=self.env, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.addCleanup(process.kill)
        process.stdin.write(b"".join(struct.pack("=I", len(text)) + text for text in (hello, FRAME)))
        process.stdin.flush()
        answers = [json.loads(process.stdout.read(struct.unpack("=I", process.stdout.read(4))[0])) for _ in range(2)]
        self.assertEqual({answer.get("error") for answer in answers}, {None, "unknown-type"})
        process.communicate(timeout=20)

    def test_what_is_no_request(self):
        for text in ("", "[]", '{"id":0,"type":"doctor"}', '{"id":1,"type":"hello"}', '{"id":1}'):
            done = self.call("doctor", "--native", text)
            self.assertEqual((done.returncode, done.stdout), (1, ""), text)


class Browsers(Doctor):
    def test_none(self):
        self.finds("browsers", "warn", "no browser was found", "installer/install")

    def test_manifest_missing(self):
        (self.bin / "firefox").write_text("#!/bin/sh\n")
        (self.bin / "firefox").chmod(0o755)
        self.manifest(CHROMIUM, "chromium")
        lines = self.finds("Firefox", "fail", "there is no", str(self.home / FIREFOX), "installer/install")
        self.assertEqual(lines["Chromium"][0][0], "ok")

    def test_manifest_for_all_users(self):
        for browser, profile, where in (("Chrome", "google-chrome", "opt/chrome"), ("Edge", "microsoft-edge", "opt/edge"),
                                        ("Brave", "BraveSoftware/Brave-Browser", "chromium"), ("Vivaldi", "vivaldi", "chromium")):
            with self.subTest(browser):
                (self.home / ".config" / profile).mkdir(parents=True)
                self.finds(browser, "fail", "there is no")
                made = self.manifest("x", "chromium")
                folder = self.root / "etc" / where / "native-messaging-hosts"
                folder.mkdir(parents=True, exist_ok=True)
                made.rename(folder / HOST)
                self.finds(browser, "ok", str(folder))
                made = self.manifest(f".config/{profile}/NativeMessagingHosts/{HOST}", "chromium", type="pipe")
                self.finds(browser, "fail", str(made), "stdio")  # the visitor's own comes first
                shutil.rmtree(self.root / "etc")

    def test_program_gone_or_not_to_be_run(self):
        gone = self.lab.dir / "gone"
        self.manifest(FIREFOX, "firefox", gone)
        self.finds("Firefox", "fail", str(gone), "does not exist", "installer/install")
        gone.write_text("#!/bin/sh\n")
        gone.chmod(0o644)
        self.finds("Firefox", "fail", "may not be run")
        self.manifest(FIREFOX, "firefox", "fringe-native")
        self.finds("Firefox", "fail", "without the full path: fringe-native")

    def test_program_of_another_version(self):
        old = self.lab.dir / "old"
        for text, words in (("echo fringe-native 0.0.1", "0.0.1"), ("exit 3", "ends with an error")):
            old.write_text(f"#!/bin/sh\n{text}\n")
            old.chmod(0o755)
            self.manifest(FIREFOX, "firefox", old)
            self.finds("Firefox", "fail", str(old), words)

    def test_wrong_id(self):
        self.manifest(FIREFOX, "firefox", allowed_extensions=["other@fringe.example"])
        self.manifest(CHROMIUM, "firefox")
        lines = self.finds("Firefox", "fail", "does not let this extension in")
        self.assertEqual(lines["Chromium"][0][0], "fail")

    def test_malformed_or_too_large(self):
        for text, words in (("{\"name\":", "no JSON object"), ("\x1b[31m", "no JSON object"), (" " * 70000, "too long")):
            self.manifest(FIREFOX, "firefox").write_text(text)
            self.finds("Firefox", "fail", words)
        (self.home / FIREFOX).unlink()
        (self.home / FIREFOX).mkdir()
        self.finds("Firefox", "fail", "cannot be read")
        (self.home / FIREFOX).rmdir()
        os.mkfifo(self.home / FIREFOX)  # nobody waits for a writer
        self.finds("Firefox", "fail", "no JSON object")

    def test_snap_and_flatpak_are_explained(self):
        for path in ("root/snap/bin/firefox", "root/var/lib/flatpak/app/org.chromium.Chromium"):
            file = self.lab.dir / path
            file.parent.mkdir(parents=True)
            file.write_text("")
        lines = self.doctor("warn")
        [firefox], [chromium] = lines["Firefox"], lines["Chromium"]
        for line, words in ((firefox, ("Snap", "WebExtensions portal", "apt install firefox-esr")),
                            (chromium, ("Flatpak", "cannot start the host", "load from their sites", "apt install chromium"))):
            self.assertEqual(line[0], "warn")
            for word in words:
                self.assertIn(word, line[1] + line[2])
        for path in ("snap/brave", ".local/share/flatpak/app/com.vivaldi.Vivaldi", ".var/app/org.mozilla.firefox"):
            (self.home / path).mkdir(parents=True)
        lines = self.doctor("warn")
        self.assertIn("xdg-native-messaging-proxy", lines["Firefox"][1][1])
        self.assertEqual([lines["Brave"][0][0], lines["Vivaldi"][0][0]], ["warn", "warn"])

    def test_a_snap_on_the_path_is_none_of_the_systems(self):
        snap = self.lab.dir / "snap/bin"
        snap.mkdir(parents=True)
        (snap / "chromium").write_text("#!/bin/sh\n")
        (snap / "chromium").chmod(0o755)
        self.env["PATH"] = f"{snap}:{self.bin}"
        (self.bin / "chromium").symlink_to(snap / "chromium")
        self.assertNotIn("Chromium", self.doctor("warn"))


class Programs(Doctor):
    def copy(self):
        folder = self.lab.dir / "copy"
        folder.mkdir()
        shutil.copy(FRINGE, folder)
        return folder

    def examine(self, folder):
        done = subprocess.run([folder / "fringe", "doctor", "--root", self.root], env=self.env, capture_output=True, text=True, timeout=60)
        return done.returncode, done.stdout

    def test_the_native_host_is_missing_or_another(self):
        folder = self.copy()
        status, text = self.examine(folder)
        self.assertEqual(status, 1)
        self.assertRegex(text, r"fail  programs .*fringe-native, which browsers start, does not exist\n +-> run installer/install")
        (folder / "fringe-native").write_text("#!/bin/sh\necho fringe-native 9.9.9\n")
        (folder / "fringe-native").chmod(0o755)
        self.assertRegex(self.examine(folder)[1], "do not belong together")

    def test_another_one_on_the_path(self):
        other = self.bin / "fringe"
        other.write_text("#!/bin/sh\necho fringe 0.0.1\n")
        other.chmod(0o755)
        self.finds("programs", "warn", str(other), "0.0.1")


class Socket(Doctor):
    def setUp(self):
        super().setUp()
        self.both()
        self.folder = self.runtime / "fringe"
        self.socket = self.folder / "daemon.sock"

    def listen(self, mode):
        self.folder.mkdir(exist_ok=True)
        server = socket.socket(socket.AF_UNIX)
        self.addCleanup(server.close)
        server.bind(str(self.socket))
        self.socket.chmod(mode)
        return server

    def test_a_folder_with_a_wrong_mode(self):
        self.folder.mkdir()
        for mode, words in ((0o777, "anybody may put another socket"), (0o500, "you may not write")):
            self.folder.chmod(mode)
            self.finds("socket", "fail", words, f"chmod 700 '{self.folder}'")
        self.folder.chmod(0o700)
        self.finds("socket", "ok", str(self.socket))

    def test_what_is_no_socket(self):
        self.folder.mkdir()
        self.socket.write_text("")
        self.finds("socket", "fail", "is in the way", "rm ")

    def test_a_socket_for_all(self):
        self.listen(0o666)
        self.finds("socket", "fail", "others may speak to", "mode 0666")

    def test_one_that_was_left_behind(self):
        self.listen(0o600).close()
        self.finds("host", "warn", "the last one did not end well")

    def test_one_that_hangs(self):
        self.listen(0o600).listen(4)
        lines = self.finds("host", "fail", "one runs, but", "does not answer", "pkill")
        self.assertNotIn("gateway", lines)

    def test_one_of_another_version(self):
        server = self.listen(0o600)
        server.listen(4)
        script = ("import json,socket,struct,sys\ns=socket.socket(socket.AF_UNIX,fileno=int(sys.argv[1]))\n"
                  "while True:\n f=s.accept()[0].makefile('rwb')\n while h:=f.read(4):\n"
                  "  i=json.loads(f.read(struct.unpack('=I',h)[0]))['id']\n"
                  "  t=json.dumps({'id':i,'ok':True,'api':1,'version':'9.9.9','pid':5}).encode()\n"
                  "  f.write(struct.pack('=I',len(t))+t)\n  f.flush()\n")
        process = subprocess.Popen(["/usr/bin/python3", "-c", script, str(server.fileno())], pass_fds=[server.fileno()])
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        lines = self.finds("host", "fail", "version 9.9.9 runs", "fringe stop")
        self.assertEqual(lines["gateway"][0][0], "fail")


class Store(Doctor):
    def setUp(self):
        super().setUp()
        self.both()
        self.make_site({"a.bin": 70000, "b.bin": 50000})
        self.lab.origin()
        daemon = self.start()
        for name in ("a.bin", "b.bin"):
            self.assertEqual(self.call("get", f"{self.lab.site}/static/{name}", "-o", self.lab.dir / name).returncode, 0)
        self.stop(daemon)
        self.index = self.data / "index.sqlite"

    def test_files_that_nobody_knows_and_files_that_are_gone(self):
        self.finds("cache", "ok", "2 files", "whole")
        [gone, *_] = (self.data / "content").glob("*/*")
        stray = self.data / "content/ab" / ("ab" * 32)
        stray.parent.mkdir(exist_ok=True)
        stray.write_bytes(gone.read_bytes())
        gone.unlink()
        lines = self.finds("cache", "warn", "1 files that its index names are gone")
        self.assertFalse([line for line in lines["cache"] if "does not name" in line[1]], "it may be on its way")
        os.utime(stray, (time.time() - 600,) * 2)
        self.finds("cache", "warn", "1 files are there that its index does not name")

    def test_an_index_that_is_damaged(self):
        (self.data / "index.sqlite.corrupt").write_text("")
        self.finds("cache", "warn", "put aside", "rm '")
        data = bytearray(self.index.read_bytes())
        data[4096:8192] = b"\xa5" * 4096
        self.index.write_bytes(data)
        self.finds("cache", "fail", "its index is damaged", "begins a new one")
        self.index.write_bytes(b"no database at all" * 1000)
        self.finds("cache", "fail", "its index is damaged")

    def test_an_index_of_a_newer_fringe(self):
        with sqlite3.connect(self.index) as db:
            db.execute("PRAGMA user_version = 99")
        db.close()
        self.finds("cache", "fail", "a newer Fringe wrote it (form 99")

    def test_a_read_only_disk(self):
        read_only = (tool("unshare", "util-linux"), "-Urm", "/bin/sh", "-ec",
                     f'/bin/mount --bind "{self.data}" "{self.data}"; /bin/mount -o remount,ro,bind "{self.data}"; exec "$@"', "sh")
        lines = self.finds("cache", "fail", "cannot be written (Read-only file system)", before=read_only)
        self.assertIn("2 files", lines["cache"][1][1])

    def test_a_nearly_full_disk(self):
        full = (tool("unshare", "util-linux"), "-Urm", "/bin/sh", "-ec",
                f'/bin/mount -t tmpfs -o size=5m tmpfs "{self.data}"; exec "$@"', "sh")
        self.finds("disk", "warn", "only 5.2 MB free", "fringe cache clear all", before=full)


class Clock(Doctor):
    def setUp(self):
        super().setUp()
        self.both()
        self.library = self.lab.dir / "wrong_clock.so"
        subprocess.run([tool("gcc", "gcc"), "-shared", "-fPIC", "-o", self.library, REPO / "tests/lib/wrong_clock.c"], check=True)

    def wrong(self, seconds):
        self.data.mkdir(parents=True, exist_ok=True)
        file = self.data / "clock"  # where a confined daemon can read it
        file.write_text(str(seconds))
        options = self.env["ASAN_OPTIONS"] + ":verify_asan_link_order=0"
        return {"LD_PRELOAD": str(self.library), "WRONG_CLOCK": str(file), "ASAN_OPTIONS": options}

    def test_a_year_that_cannot_be(self):
        for years, date in ((-40, "19"), (90, "21")):
            self.finds("clock", "fail", f"it says {date}", "which cannot be", "timedatectl", **self.wrong(years * YEAR))

    def test_the_sites_say_otherwise(self):
        self.make_site({"a.bin": 70000})
        self.lab.origin()
        self.start(env=self.wrong(-300 * 86400).items())
        self.call("get", f"{self.lab.site}/static/a.bin", "-o", self.lab.dir / "a")
        self.finds("clock", "fail", "300 days behind, the sites say", "timedatectl")


if __name__ == "__main__":
    unittest.main()
