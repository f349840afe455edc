"""host/PUBLISHING.md from its first command to its last, against a real nginx with TLS, as a publisher would type it.

What is in ```sh blocks runs, one block after the other; a ```text block behind one names lines of its output, in order ("..." stands
for anything). Only names and places are other ones: see `Places`.
"""
# Takes long: tests/run begins with it.
import json
import os
import re
import signal
import subprocess
import unittest

import lab
from lab import Lab, can_connect, free_port, tool, wait_for

GUIDE = lab.REPO / "host" / "PUBLISHING.md"

# Instead of systemd: nginx is reloaded, the unit's own command is run.
SYSTEMCTL = r"""#!/bin/bash
set -eu
case "$*" in
  "reload nginx")  # ends when the processes with the old configuration have ended
    old=$(ps -o pid= --ppid "$(cat ROOT/nginx.pid)")
    nginx -s reload
    for pid in $old; do timeout 20 tail -f --pid="$pid" /dev/null; done ;;
  "enable --now fringe-supernode")
    unit=REPO/installer/supernode/fringe-supernode.service
    . "ROOT$(sed -n 's/^EnvironmentFile=-//p' "$unit")"
    command=$(sed -n 's,^ExecStart=/usr/bin/,,p' "$unit")
    STATE_DIRECTORY=ROOT/var/lib/fringe-supernode eval "setsid $command >ROOT/supernode.log 2>&1 </dev/null &"
    echo $! >>ROOT/pids ;;
  *) echo "systemctl $*: not in this test" >&2; exit 1 ;;
esac
"""

# What a test cannot have: trust in its certificate, ports of the outside.
FRINGE = """#!/bin/bash
word=${1:-}
shift
case $word in
  verify) case " $* " in *" http"*) set -- "$@" --ca-file ROOT/ca.pem ;; esac ;;
  supernode) set -- "$@" --ca-file ROOT/ca.pem ;;
  daemon) set -- "$@" --ca-file ROOT/ca.pem --listen 127.0.0.1:0 --no-port-map; echo $$ >>ROOT/pids ;;
esac
exec PROGRAM "$word" "$@"
"""


class Places(Lab):
    """A machine in a temporary folder: its /etc, /var, /usr, its programs, nginx."""

    def __enter__(self):
        super().__enter__()
        self.port, self.node, self.metrics = free_port(), free_port(), free_port()
        for name in ("bin", "home", "work", "tmp", "run", "etc/nginx/conf.d", "etc/default", "etc/letsencrypt/live/game.example", "var/www",
                     "var/lib/fringe-supernode"):
            (self.dir / name).mkdir(parents=True)
        self.make_certificates()
        certificate = self.dir / "etc/letsencrypt/live/game.example"
        (self.dir / "site.pem").rename(certificate / "fullchain.pem")
        (self.dir / "site.key").rename(certificate / "privkey.pem")
        nginx = f'#!/bin/sh\nexec {tool("nginx", "nginx-light")} -c {self.dir}/etc/nginx/nginx.conf -e {self.dir}/nginx.err "$@"\n'
        self.program("nginx", nginx)
        self.program("fringe", FRINGE.replace("ROOT", str(self.dir)).replace("PROGRAM", str(lab.FRINGE)))
        self.program("systemctl", SYSTEMCTL.replace("ROOT", str(self.dir)).replace("REPO", str(lab.REPO)))
        for name, package in (("hugo", "hugo"), ("rsync", "rsync"), ("curl", "curl")):
            tool(name, package)
        self.start_nginx()
        self.callback(self.end_started)
        return self

    def program(self, name, text):
        path = self.dir / "bin" / name
        path.write_text(text)
        path.chmod(0o755)

    def other_names(self):
        """What the guide says, and what it is here."""
        return [
            ("/etc/", f"{self.dir}/etc/"), ("/var/", f"{self.dir}/var/"), ("/tmp/level", f"{self.dir}/tmp/level"),
            ("server_name game.example", "server_name localhost"), ("https://game.example", f"https://localhost:{self.port}"),
            ("tcp://game.example:6881", f"tcp://127.0.0.1:{self.node}"), ("listen 443", f"listen 127.0.0.1:{self.port}"),
            ("[::]:6881", f"127.0.0.1:{self.node}"), ("127.0.0.1:9180", f"127.0.0.1:{self.metrics}"),
        ]

    def here(self, text):
        for old, new in self.other_names():
            text = text.replace(old, new)
        return text

    def start_nginx(self):
        conf = self.dir / "etc/nginx/nginx.conf"
        temp = " ".join(f"{kind}_temp_path {self.dir}/tmp-{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        conf.write_text(f"""worker_processes 1; pid {self.dir}/nginx.pid; error_log {self.dir}/nginx.err;
events {{ worker_connections 256; }}
http {{ {temp} access_log {self.dir}/access.log; types {{ text/html html; }} include conf.d/*.conf; }}
""")
        process = subprocess.Popen([self.dir / "bin" / "nginx", "-g", "daemon off;"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.callback(self.end, process)
        wait_for("nginx", lambda: (self.dir / "nginx.pid").exists() and (self.dir / "nginx.pid").read_text().strip())

    def end_started(self):
        pids = self.dir / "pids"
        for pid in map(int, pids.read_text().split() if pids.exists() else []):
            try:
                os.kill(pid, signal.SIGTERM)
                wait_for("what the guide started to end", lambda pid=pid: self.has_ended(pid))
            except ProcessLookupError:
                pass

    @staticmethod
    def has_ended(pid):
        """True also for a zombie, which is somebody else's to bury."""
        try:
            with open(f"/proc/{pid}/stat") as stat:
                return stat.read().rpartition(")")[2].split()[0] == "Z"
        except FileNotFoundError:
            return True

    def type_in(self, commands, folder):
        """Runs a block in a folder; answers its output and the folder where it ended."""
        environment = {**lab.ENVIRONMENT, "PATH": f"{self.dir}/bin:{os.environ['PATH']}:/usr/sbin:/sbin", "HOME": str(self.dir / "home"),
                       "FRINGE_SOCKET": str(self.dir / "run" / "s"), "FRINGE_DATA": str(self.dir / "home" / "cache"), "TMPDIR": str(self.dir / "tmp")}
        # What goes on in the background must not keep the output open.
        log = self.dir / "output"
        with open(log, "wb") as output:
            done = subprocess.run(["bash", "-euo", "pipefail", "-c", f"{commands}\npwd >{self.dir}/folder"], cwd=folder, env=environment, stdout=output,
                                  stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, timeout=240)
        text = log.read_text(errors="replace")
        if done.returncode != 0:
            raise AssertionError(f"this failed with {done.returncode}:\n{commands}\n{text}")
        return text, (self.dir / "folder").read_text().strip()


def blocks():
    """(kind, text, line) of each fenced block."""
    text = GUIDE.read_text()
    for match in re.finditer(r"^```([^\n]*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
        yield match[1], match[2], text.count("\n", 0, match.start()) + 1


class Guide(unittest.TestCase):
    def assert_printed(self, expected, output, line):
        at = 0
        for wanted in expected.splitlines():
            pattern = ".*".join(map(re.escape, wanted.split("...")))
            found = re.compile(pattern).search(output, at)
            self.assertIsNotNone(found, f"PUBLISHING.md, line {line}: {wanted!r} is not in\n{output}")
            at = found.end()

    def test_from_nothing_to_the_end(self):
        with Places() as places:
            folder, output, ran = places.dir / "work", "", 0
            for kind, text, line in blocks():
                if kind == "text":
                    self.assert_printed(places.here(text), output, line)
                    continue
                self.assertEqual(kind, "sh", f"line {line}: a block that nothing runs")
                output, folder = places.type_in(places.here(text), folder)
                ran += 1
                if "enable --now" in text:
                    wait_for("the super-node", lambda: can_connect(places.node), 30)
            self.assertGreater(ran, 8)
            # What the numbers and the last page say, beside what the commands have checked themselves.
            self.assertIn("fringe", places.type_in(f"curl -s http://127.0.0.1:{places.metrics}/metrics", folder)[0])
            release = places.type_in(f"curl -s --cacert {places.dir}/ca.pem https://localhost:{places.port}/.well-known/fringe/release.json", folder)[0]
            self.assertEqual(json.loads(release)["bundles"], [], "revoked at the end")


if __name__ == "__main__":
    unittest.main()
