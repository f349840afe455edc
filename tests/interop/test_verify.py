"""fringe verify and fringe snippet against real web servers over TLS: a site without a fault, and one fault at a time."""
import contextlib
import hashlib
import http.server
import json
import shutil
import socket
import subprocess
import threading
import time
import unittest

from lab import ENVIRONMENT, FRINGE, Lab, can_connect, free_port, tool, wait_for

LINK = '</.well-known/fringe/release.json>; rel="fringe"; seq=1'


class Site(Lab):
    """A published web root, and certificates for localhost."""

    def __enter__(self):
        super().__enter__()
        self.port = free_port()
        self.site = f"https://localhost:{self.port}"
        self.write_text("index.html", "<!doctype html><title>x</title><p>hello")
        self.write("a.js", 2000)
        self.write("big.bin", 5000000)
        self.write("sub/b c.css", 70)
        self.write("empty.txt", 0)
        self.make_certificates()
        self.publish()
        return self

    def write_text(self, name, text):
        path = self.web / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def snippet(self, server):
        return self.fringe("snippet", server, str(self.web)).stdout

    def nginx(self, snippet=None, before="", server=""):
        snippet = self.snippet("nginx") if snippet is None else snippet
        temp = " ".join(f"{kind}_temp_path {self.dir}/tmp-{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        conf = self.dir / "tls.conf"
        conf.write_text(f"""daemon off; worker_processes 1; pid {self.dir}/tls.pid; error_log {self.dir}/tls.err;
events {{ worker_connections 256; }}
http {{ {temp} access_log {self.dir}/access.log; types {{ text/html html; }} {before}
server {{ listen 127.0.0.1:{self.port} ssl http2; listen [::1]:{self.port} ssl http2; root {self.web}; {server}
ssl_certificate {self.dir}/site.pem; ssl_certificate_key {self.dir}/site.key;
{snippet}
}} }}
""")
        return self.run_server([tool("nginx", "nginx-light"), "-c", conf, "-e", self.dir / "tls.err"], self.dir / "tls.err")

    def apache(self):
        modules = "/usr/lib/apache2/modules"
        names = ("mpm_event", "authz_core", "dir", "mime", "headers", "ssl", "socache_shmcb", "setenvif")
        load = "\n".join(f"LoadModule {name}_module {modules}/mod_{name}.so" for name in names)
        types = self.dir / "mime.types"
        types.write_text("text/html html\napplication/javascript js\n")  # what a server says by itself is not what Fringe says
        conf = self.dir / "apache.conf"
        conf.write_text(f"""{load}
ServerName localhost
PidFile {self.dir}/apache.pid
ErrorLog {self.dir}/apache.err
DefaultRuntimeDir {self.dir}
TypesConfig {types}
DirectoryIndex index.html
Listen 127.0.0.1:{self.port}
Listen [::1]:{self.port}
<VirtualHost *:{self.port}>
DocumentRoot {self.web}
SSLEngine on
SSLCertificateFile {self.dir}/site.pem
SSLCertificateKeyFile {self.dir}/site.key
{self.snippet("apache")}
</VirtualHost>
""")
        self.run_server([tool("apache2", "apache2-bin"), "-f", conf, "-DFOREGROUND"], self.dir / "apache.err")

    def run_server(self, command, log):
        process = subprocess.Popen(list(map(str, command)), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.callback(self.end, process)
        wait_for("the web server", lambda: can_connect(self.port) or process.poll() is not None)
        if process.poll() is not None:
            raise AssertionError(f"the web server ended: {log.read_text() if log.exists() else ''}")
        return process

    def verify(self, *options, target=None):
        done = subprocess.run([FRINGE, "verify", target or self.site + "/", *map(str, options),
                               *([] if target else ["--ca-file", str(self.dir / "ca.pem")]), "--json"], capture_output=True, text=True, env=ENVIRONMENT, timeout=120)
        if done.stdout == "":
            raise AssertionError(done.stderr)
        result = json.loads(done.stdout)
        self.code = done.returncode
        return result


class Verify(unittest.TestCase):
    def setUp(self):
        self.site = Site().__enter__()
        self.addCleanup(self.site.__exit__, None, None, None)

    def codes(self, result, level="faults"):
        return sorted({item["code"] for item in result[level]})

    def expect(self, codes, *options, warnings=(), seen="", target=None):
        result = self.site.verify(*options, target=target)
        self.assertEqual(self.codes(result), sorted(codes), json.dumps(result, indent=1))
        self.assertEqual(self.codes(result, "warnings"), sorted(warnings), json.dumps(result, indent=1))
        self.assertEqual(self.site.code, 1 if codes else 0)
        for item in result["faults"] + result["warnings"]:
            self.assertTrue(item["url"] and item["seen"] and item["todo"], item)
        self.assertIn(seen, " ".join(item["seen"] for item in result["faults"] + result["warnings"]))
        return result

    # --- the snippets

    def test_nginx_with_the_snippet_has_no_fault(self):
        self.site.write("c.unknown", 10)
        self.site.publish("--header", "Cross-Origin-Resource-Policy: same-origin", "--type", ".bin=application/x-game; v=1")
        self.site.nginx()
        result = self.expect([], "--all")
        self.assertEqual((result["seq"], result["checked_files"], result["files"]), (2, 5, 5))
        self.expect([], "--page", "/index.html", "--page", self.site.site + "/", "--key", self.site.dir / "key.pub")

    def test_apache_with_the_snippet_has_no_fault(self):
        self.site.write("c.unknown", 10)
        self.site.write("d.gz", 10)
        self.site.publish("--header", "Cross-Origin-Resource-Policy: same-origin", "--type", ".bin=application/x-game; v=1")
        self.site.apache()
        self.expect([], "--all")

    # --- a web server's faults, each alone

    def test_faults_in_headers(self):
        good = self.site.snippet("nginx")
        static = 'location ^~ "/static/" {'
        release = "location = /.well-known/fringe/release.json {"
        worker = "location = /fringe-sw.js {"
        label = next(line for line in good.splitlines() if line.startswith("add_header Link"))
        cases = (
            ("cookie", static, static + " add_header Set-Cookie 'session=1';", "Set-Cookie: session=1"),
            ("cookie", release, release + " add_header Set-Cookie 'session=1';", "Set-Cookie"),
            ("cache-control", static, static + " add_header Cache-Control private;", "private"),
            ("cache-control", release, release + " add_header Cache-Control 'no-store, max-age=0';", "no-store"),
            ("vary", static, static + " add_header Vary 'Accept-Encoding, Cookie';", "Cookie"),
            ("encoded", static, static + " add_header Content-Encoding gzip;", "gzip"),
            ("redirect", static, static + " return 302 https://elsewhere.example$request_uri;", "another site"),
            ("redirect", static, static + " return 301 http://localhost$request_uri;", "plain http"),
            ("status", static, static + " return 403;", "status 403"),
            ("ranges", static, static + " max_ranges 0;", "status 200"),
            ("type", "text/javascript js;", "application/javascript js;", "through Fringe it is text/javascript"),
            ("worker-type", "default_type text/javascript;", "default_type text/plain;", "text/plain"),
            ("csp", label, label + " add_header Content-Security-Policy \"default-src 'self'; worker-src 'none'\";", "worker-src"),
            ("label", label, "", "no label"),
            ("label-old", label, label, "the label says release 1, the site has 2"),
            ("label-early", label, label.replace("seq=1", "seq=7"), "has only"),
            ("label-seq", label, label.replace("seq=1", "seq=x"), "no number"),
            ("label-target", label, label.replace("</.well", "</x/.well"), "leads to"),
            ("status", worker, worker + " return 404;", "status 404"),
            ("html", release, release + " default_type text/html;", "HTML"),
        )
        for code, old, new, seen in cases:
            with self.subTest(code=code, new=new):
                self.assertIn(old, good)
                text = good.replace("default_type application/json;", "") if code == "html" else good
                if code == "label-old":
                    self.site.publish()
                server = self.site.nginx(text.replace(old, new, 1))
                try:
                    self.expect([code], seen=seen)
                finally:
                    self.site.end(server)
                    if code == "label-old":  # begin anew with release 1
                        shutil.rmtree(self.site.web / ".well-known")
                        self.site.publish()

    def test_faults_in_files(self):
        web, fringe = self.site.web, self.site.web / ".well-known/fringe"
        self.site.nginx()
        torrent = self.site.torrent
        other = self.site.dir / "other"
        self.site.fringe("keygen", "--out", str(other), "--no-password")
        big = bytearray((web / "static/big.bin").read_bytes())
        big[-1] ^= 1
        page = b"<!doctype html><title>not found</title>"
        cases = (
            (["bytes"], "static/big.bin", bytes(big), "bytes 4980736 to 4999999"),
            (["bytes"], "static/a.js", b"x" * 2000, "bytes 0 to 1999"),
            (["length"], "static/a.js", b"x", "1 bytes instead of 2000"),
            (["length"], "static/a.js", b"x" * 2001, "more than 2000 bytes"),
            (["length"], "static/big.bin", big[:-1] + b"xx", "5000001 bytes instead of 5000000"),
            (["status"], "static/a.js", None, "status 404"),
            (["status"], ".well-known/fringe/key.pub", None, "404"),
            (["key"], ".well-known/fringe/key.pub", b"hello\n", "no minisign public key"),
            (["html"], ".well-known/fringe/key.pub", page, "HTML"),
            (["signature"], ".well-known/fringe/key.pub", other.with_suffix(".pub").read_bytes(), "minisig"),
            (["signature"], ".well-known/fringe/release.json", (fringe / "release.json").read_bytes() + b" ", "minisig"),
            (["html"], ".well-known/fringe/release.json", page, "HTML"),
            (["html"], ".well-known/fringe/release.json.minisig", page, "HTML"),
            (["status"], ".well-known/fringe/release.json.minisig", None, "404"),
            (["too-long"], ".well-known/fringe/release.json.minisig", b"x" * 20000, "more than"),
            (["torrent"], str(torrent.relative_to(web)), b"d", "ends"),
            (["torrent"], str(torrent.relative_to(web)), page, "HTML page instead"),
            (["status"], str(torrent.relative_to(web)), None, "404"),
            (["worker"], "fringe-sw.js", b"self.x = 1;\n", "not the worker"),
            (["worker-old"], "fringe-sw.js", (web / "fringe-sw.js").read_bytes().replace(b'"seq":1', b'"seq":0'), '"seq":0'),
            (["status"], ".well-known/fringe/enter.html", None, "404"),
            (["page"], "index.html", None, "status 403"),
        )
        for codes, name, data, seen in cases:
            with self.subTest(codes=codes, name=name, seen=seen):
                path = web / name
                good = path.read_bytes()
                if data is None:
                    path.unlink()
                else:
                    path.write_bytes(data)
                try:
                    self.expect(codes, "--all", seen=seen)
                finally:
                    path.write_bytes(good)
        self.expect(["other-key", "signature"], "--key", other.with_suffix(".pub"))
        self.expect([], "--all")

    def test_warnings_are_no_faults(self):
        self.site.publish("--expires", "3", "--tracker", f"http://127.0.0.1:{free_port()}/announce", "--tracker", f"udp://127.0.0.1:{free_port()}",
                          "--supernode", f"tcp://127.0.0.1:{free_port()}", "--supernode", f"wss://localhost:{free_port()}/x")
        self.site.nginx(self.site.snippet("nginx").replace('"no-cache"', '"max-age=86400"')
                        .replace('    add_header X-Content-Type-Options "nosniff" always;\n}\n', "}\n"))
        (self.site.web / ".well-known/fringe/enter.html").write_text("<!doctype html><p>mine")
        with open(self.site.web / "fringe-sw.js", "a") as worker:
            worker.write("// mine\n")
        result = self.expect([], warnings=["enter", "expires-soon", "long-lived", "nosniff", "supernode", "tracker", "worker-version"])
        self.assertEqual((result["codes"]["tracker"], result["codes"]["supernode"]), (2, 2))

    def test_trackers_are_asked(self):
        self.site.publish("--tracker", self.site.tracker())
        self.site.nginx()
        self.expect([])

        class Refuse(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                body = b"d14:failure reason7:go awaye" if self.path.startswith("/announce") else b"hello"
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args):
                pass
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Refuse)
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}"
        self.site.publish("--tracker", url + "/announce", "--tracker", url + "/x")
        result = self.site.verify()
        seen = [item["seen"] for item in result["warnings"] if item["code"] == "tracker"]
        self.assertEqual(seen, ["it refuses this site: go away", "what answers there is no tracker"])

    # --- servers that fail

    def test_certificates_are_looked_at(self):
        self.site.nginx()
        done = subprocess.run([FRINGE, "verify", self.site.site + "/"], capture_output=True, text=True)
        self.assertEqual(done.returncode, 1)
        self.assertIn("certificate", done.stdout)

    def test_an_expired_release(self):
        self.site.nginx()
        release = self.site.web / ".well-known/fringe/release.json"
        data = json.loads(release.read_text())
        data["issued"], data["expires"] = int(time.time()) - 200000, int(time.time()) - 100000
        release.write_text(json.dumps(data))
        self.sign(release, data)
        self.expect(["expired"], seen="expired 1 days ago")

    def sign(self, release, data):
        digest = hashlib.sha256(release.read_bytes()).hexdigest()
        comment = f"fringe=1 site={data['site']} seq={data['seq']} expires={data['expires']} sha256={digest}"
        subprocess.run([tool("minisign", "minisign"), "-S", "-s", self.site.dir / "key.key", "-m", release, "-t", comment], check=True,
                       stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)

    def test_an_origin_that_goes_away(self):
        """Plain http on localhost: a server that answers, and breaks off from some request on."""
        web, port = self.site.web, free_port()
        self.site.site = f"http://localhost:{port}"
        shutil.rmtree(web / ".well-known")
        for number in range(30):
            self.site.write(f"n/{number}.txt", 5000)
        self.site.publish()
        self.halfway(web, port, whole=12)
        result = self.site.verify()
        self.assertEqual(self.site.code, 1)
        self.assertIn("gone", self.codes(result))
        self.assertIn("broken-off", self.codes(result))
        gone = next(item for item in result["faults"] if item["code"] == "gone")
        self.assertRegex(gone["seen"], r"[1-9]\d* of \d+ requests were not made")

    def halfway(self, web, port, whole):
        listener = socket.create_server(("127.0.0.1", port))
        self.addCleanup(listener.close)
        state = {"left": whole, "lock": threading.Lock()}

        def serve(connection):
            with connection, contextlib.suppress(OSError):
                head = b""
                while b"\r\n\r\n" not in head:
                    got = connection.recv(4096)
                    if not got:
                        return
                    head += got
                path = web / head.split(b" ")[1].decode().lstrip("/")
                body = path.read_bytes() if path.is_file() else b"<p>"
                with state["lock"]:
                    state["left"] -= 1
                    cut = state["left"] < 0
                connection.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(body) + (body[:len(body) // 2] if cut else body))

        def accept():
            with contextlib.suppress(OSError):
                while True:
                    threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
        threading.Thread(target=accept, daemon=True).start()

    # --- a web root, and what is typed

    def test_a_web_root(self):
        web = self.site.web
        self.expect([], target=web, warnings=["label"])
        self.site.write_text("index.html", '<!doctype html><link rel=fringe href="/.well-known/fringe/release.json" data-seq=1>')
        self.expect([], "--all", "--site", self.site.site, target=web)
        (web / "static/a.js").write_bytes(b"x" * 2000)
        self.expect(["bytes"], target=web)
        (web / "static/a.js").unlink()
        self.expect(["status"], target=web, seen="no such file")
        self.expect(["release"], "--site", "https://other.example", target=web, seen="another site")

    def test_a_revoked_site(self):
        self.site.fringe("revoke", "--yes", "--site", self.site.site, "--key", str(self.site.dir / "key.key"), "--out", str(self.site.web))
        self.site.nginx()
        self.expect([])
        done = subprocess.run([FRINGE, "verify", self.site.site + "/", "--ca-file", self.site.dir / "ca.pem"], capture_output=True, text=True)
        self.assertEqual(done.returncode, 0)
        self.assertIn("shares nothing", done.stdout)

    def test_typos(self):
        cases = (([], "one site or folder"), (["https://a.example/", "x"], "one site or folder"), (["nowhere"], "neither a URL"),
                 (["http://game.example/"], "plain http only for localhost"), (["https://a.example/?x"], "without ?"),
                 (["https://a.example/", "--site", "https://b.example"], "--site is for a folder"),
                 (["https://a.example/", "--key", "missing"], "not a file"), (["https://a.example/", "--ca-file", "missing"], "not a file"),
                 (["https://a.example/", "--alll"], "did you mean --all?"),
                 ([str(self.site.web), "--site", "b.example"], "write it as https://"), (["https://a.example/", "--page"], "needs a value"))
        for words, text in cases:
            with self.subTest(words):
                done = subprocess.run([FRINGE, "verify", *words], capture_output=True, text=True, cwd=self.site.dir)
                self.assertEqual(done.returncode, 2, done.stdout)
                self.assertIn(text, done.stderr)
        for words, text, code in ((["nginx"], "which server", 2), (["iis", "x"], "nginx or apache", 2), (["nginx", "missing"], "cannot read", 1),
                                  (["--nginx"], "no option", 2)):
            done = subprocess.run([FRINGE, "snippet", *words], capture_output=True, text=True, cwd=self.site.dir)
            self.assertEqual(done.returncode, code)
            self.assertIn(text, done.stderr)


if __name__ == "__main__":
    unittest.main()
