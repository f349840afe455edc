"""fringe-native: a relay that checks frame sizes, starts the daemon when none answers, and ends with its browser."""
import json
import os
import pathlib
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import threading
import time
import unittest

REPO = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("FRINGE_BUILD", REPO / "build"))
NATIVE = BUILD / "bin" / "fringe-native"
LIMIT_IN = 64 * 1024
LIMIT_OUT = 1024 * 1024

# What stands beside fringe-native as `fringe` here: takes the lock, answers each frame with its own text and pid, as a daemon would.
FAKE_DAEMON = """#!/usr/bin/python3 -IS
import fcntl, os, socket, struct, sys, threading
args = sys.argv[1:]
path, data = args[args.index("--socket") + 1], args[args.index("--data") + 1]
open(data + "/started", "a").write(" ".join(args) + "\\n")
print("fake daemon here", file=sys.stderr, flush=True)
os.makedirs(os.path.dirname(path), exist_ok=True)
lock = open(path + ".lock", "w")
try:
    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
except OSError:
    sys.exit(1)
server = socket.socket(socket.AF_UNIX)
server.bind(path)
server.listen(8)
open(data + "/pid", "w").write(str(os.getpid()))
def serve(client):
    stream = client.makefile("rwb")
    while head := stream.read(4):
        text = stream.read(struct.unpack("=I", head)[0])
        stream.write(head + text)
        stream.flush()
while True:
    threading.Thread(target=serve, args=(server.accept()[0],), daemon=True).start()
"""


def frame(text):
    return struct.pack("=I", len(text)) + text


def read_frame(stream):
    head = stream.read(4)
    return stream.read(struct.unpack("=I", head)[0]) if len(head) == 4 else None


class Native(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="fringe native "))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.socket = self.folder / "run" / "d.sock"
        self.data = self.folder / "data"
        self.env = {**os.environ, "FRINGE_SOCKET": str(self.socket), "FRINGE_DATA": str(self.data)}

    def start(self, *args, program=NATIVE, **env):
        process = subprocess.Popen([str(program), *args], env={**self.env, **env}, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE)
        self.addCleanup(process.stderr.close)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.stdin.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process

    def listen(self, path=None):
        path = path or self.socket
        path.parent.mkdir(parents=True, exist_ok=True)
        server = socket.socket(socket.AF_UNIX)
        server.bind(str(path))
        server.listen(4)
        server.settimeout(10)
        self.addCleanup(server.close)
        return server

    def test_carries_frames_both_ways(self):
        server = self.listen()
        native = self.start("/some/manifest.json", "extension@example")
        daemon = server.accept()[0]
        big = b"{" + b"x" * (LIMIT_IN - 2) + b"}"
        native.stdin.write(frame(b"{}") + frame(big))
        native.stdin.flush()
        stream = daemon.makefile("rb")
        self.assertEqual(read_frame(stream), b"{}")
        self.assertEqual(read_frame(stream), big)
        answer = b"{" + b"y" * (LIMIT_OUT - 2) + b"}"
        threading.Thread(target=daemon.sendall, args=(frame(answer) + frame(b"{}"),)).start()
        self.assertEqual(read_frame(native.stdout), answer)
        self.assertEqual(read_frame(native.stdout), b"{}")

    def test_ends_when_the_browser_closes_stdin(self):
        server = self.listen()
        native = self.start()
        daemon = server.accept()[0]
        native.stdin.write(frame(b"{}"))
        native.stdin.close()
        self.assertEqual(native.wait(30), 0)
        self.assertEqual(daemon.makefile("rb").read(), frame(b"{}"))  # what was said before is still delivered
        self.assertEqual(native.stdout.read(), b"")

    def test_ends_when_the_daemon_goes(self):
        server = self.listen()
        native = self.start()
        daemon = server.accept()[0]
        daemon.sendall(frame(b"{}"))
        daemon.close()
        self.assertEqual(native.wait(30), 1)
        self.assertEqual(native.stdout.read(), frame(b"{}"))
        self.assertIn(b"daemon has closed", native.stderr.read())

    def test_refuses_a_frame_over_the_limit_from_the_browser(self):
        server = self.listen()
        native = self.start()
        daemon = server.accept()[0]
        native.stdin.write(frame(b"{}") + struct.pack("=I", LIMIT_IN + 1))
        native.stdin.flush()
        self.assertEqual(native.wait(30), 1)
        self.assertIn(f"{LIMIT_IN + 1} bytes from the browser".encode(), native.stderr.read())
        self.assertNotIn(struct.pack("=I", LIMIT_IN + 1), daemon.makefile("rb").read())
        self.assertEqual(native.stdout.read(), b"")

    def test_refuses_a_frame_over_the_limit_from_the_daemon(self):
        server = self.listen()
        native = self.start()
        server.accept()[0].sendall(struct.pack("=I", LIMIT_OUT + 1) + b"x")
        self.assertEqual(native.wait(30), 1)
        self.assertIn(f"{LIMIT_OUT + 1} bytes from the daemon".encode(), native.stderr.read())

    def test_socket_flag_and_default_places(self):
        other = self.folder / "o.sock"
        server = self.listen(other)
        self.start("--socket", str(other), FRINGE_SOCKET="/nonexistent/x")
        server.accept()
        runtime = self.folder / "xdg"
        server = self.listen(runtime / "fringe" / "daemon.sock")
        self.start(FRINGE_SOCKET="", XDG_RUNTIME_DIR=str(runtime))
        server.accept()
        server = self.listen(self.folder / ".local/state/fringe/daemon.sock")
        self.start(FRINGE_SOCKET="", XDG_RUNTIME_DIR="", XDG_STATE_HOME="relative", HOME=str(self.folder))
        server.accept()

    def test_version_and_usage(self):
        done = subprocess.run([NATIVE, "--version"], capture_output=True, check=True)
        self.assertTrue(done.stdout.startswith(b"fringe-native "))
        self.assertEqual(subprocess.run([NATIVE, "--socket"], capture_output=True).returncode, 2)

    def test_a_path_too_long_for_a_socket_is_told(self):
        native = self.start("--socket", "/tmp/" + "x" * 200)
        self.assertEqual(native.wait(30), 1)
        self.assertIn(b"File name too long", native.stderr.read())

    # --- starting the daemon

    def beside(self, script=FAKE_DAEMON):
        """fringe-native in a folder of its own, with a stand-in for the daemon beside it."""
        folder = self.folder / "bin"
        folder.mkdir()
        shutil.copy(NATIVE, folder)
        if script is not None:
            (folder / "fringe").write_text(script)
            (folder / "fringe").chmod(0o755)
        return folder / "fringe-native"

    def stop_fake(self):
        os.kill(int((self.data / "pid").read_text()), signal.SIGTERM)

    def ask(self, native):
        native.stdin.write(frame(b'{"id":1}'))
        native.stdin.flush()
        return read_frame(native.stdout)

    def test_starts_the_daemon_and_leaves_it_running(self):
        program = self.beside()
        native = self.start(program=program, FRINGE_DAEMON_ARGS="--listen 127.0.0.1:0  --zone share")
        self.assertEqual(self.ask(native), b'{"id":1}')
        self.addCleanup(self.stop_fake)
        self.assertEqual((self.data / "started").read_text(),
                         f"daemon --data {self.data} --socket {self.socket} --idle-exit 60 --listen 127.0.0.1:0 --zone share\n")
        self.assertIn("fake daemon here", (self.data / "daemon.log").read_text())
        self.assertEqual(os.stat(self.data).st_mode & 0o777, 0o700)
        pid = int((self.data / "pid").read_text())
        self.assertEqual(os.getsid(pid), os.getpgid(pid))
        self.assertNotEqual(os.getsid(pid), os.getsid(0))
        kept = [os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")]
        self.assertEqual([name for name in kept if name.startswith("pipe:")], [])
        native.stdin.close()
        self.assertEqual(native.wait(30), 0)
        again = self.start(program=program)
        self.assertEqual(self.ask(again), b'{"id":1}')
        self.assertEqual(len((self.data / "started").read_text().splitlines()), 1)

    def test_two_browsers_at_once_share_one_daemon(self):
        program = self.beside()
        natives = [self.start(program=program) for _ in range(4)]
        self.assertEqual([self.ask(native) for native in natives], [b'{"id":1}'] * 4)
        self.stop_fake()

    def test_a_dead_socket_file_is_no_daemon(self):
        self.listen().close()
        program = self.beside(FAKE_DAEMON.replace("server.bind", "os.unlink(path); server.bind"))
        self.assertEqual(self.ask(self.start(program=program)), b'{"id":1}')
        self.stop_fake()

    def test_no_daemon_program(self):
        native = self.start(program=self.beside(None))
        self.assertEqual(native.wait(30), 1)
        self.assertIn(b"/bin/fringe: No such file", native.stderr.read())
        self.assertEqual(native.stdout.read(), b"")

    def test_a_daemon_that_ends_at_once_is_told(self):
        start = time.monotonic()
        native = self.start(program=self.beside("#!/bin/sh\nexit 1\n"))
        self.assertEqual(native.wait(20), 1)
        self.assertLess(time.monotonic() - start, 15)
        self.assertIn(b"see " + bytes(self.data) + b"/daemon.log", native.stderr.read())


if __name__ == "__main__":
    unittest.main()
