"""native: what a page waits for when the browser starts fringe-native.

native.first_reply_ms  from the start of fringe-native to the daemon's answer to `hello`, daemon running; target at most 10.
                       The peer is the same question over a connection that is open already: the difference is the relay's start.
"""
import json
import os
import pathlib
import struct
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from bench import figure, interleaved  # noqa: E402
from control import Control  # noqa: E402

BUILD = pathlib.Path(os.environ["FRINGE_BUILD"])
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "41"))
HELLO = json.dumps({"id": 1, "type": "hello", "api": 1, "client": "cli", "version": "bench"}).encode()


def wait_for_daemon(process, path):
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and process.poll() is None:
        try:
            return Control(path)
        except OSError:
            time.sleep(0.01)
    raise SystemExit("the daemon does not start")


def through_native(env):
    start = time.perf_counter()
    native = subprocess.Popen([BUILD / "bin/fringe-native", "bench"], env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
    native.stdin.write(struct.pack("=I", len(HELLO)) + HELLO)
    length = struct.unpack("=I", native.stdout.read(4))[0]
    answer = native.stdout.read(length)
    taken = time.perf_counter() - start
    native.stdin.close()
    native.wait()
    native.stdout.close()
    assert json.loads(answer)["ok"], answer
    return taken * 1e3


def direct(control):
    start = time.perf_counter()
    assert control.request("hello", api=1, client="cli", version="bench")["ok"]
    return (time.perf_counter() - start) * 1e3


def main():
    with tempfile.TemporaryDirectory(prefix="fringe-bench-") as name:
        env = {**os.environ, "FRINGE_SOCKET": name + "/d.sock", "FRINGE_DATA": name + "/data"}
        daemon = subprocess.Popen([BUILD / "bin/fringe", "daemon", "--data", name + "/data", "--socket", name + "/d.sock", "--listen", "127.0.0.1:0"])
        try:
            with wait_for_daemon(daemon, name + "/d.sock") as control:
                through_native(env)
                mine, other = interleaved(ROUNDS, lambda: through_native(env), lambda: direct(control))
                figure("native.first_reply_ms", mine, ours=mine, peer=other, unit="ms", target=10)
        finally:
            daemon.terminate()
            daemon.wait()


if __name__ == "__main__":
    main()
