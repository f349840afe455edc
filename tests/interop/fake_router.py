"""A home router that behaves as it is told to: NAT-PMP on port 5351, UPnP on 1900 and 5000. Prints what it is asked.

--natpmp off, ok, refuse, double-nat, short, other-kind, other-version, other-port, no-port, short-lease, flood, noise
--upnp   off, ok, double-nat, no-address, taken, permanent, refuse, silent, drip, endless-head, endless-body, huge-length, noise,
         no-service, other-host, elsewhere, crowd
"""
import argparse
import http.server
import random
import socket
import socketserver
import struct
import threading
import time

ROUTER, OUTSIDE, ELSEWHERE = "192.168.7.1", "20.0.0.1", "20.0.0.2"
NATPMP_PORT, GRANTED_PORT, LEASE = 5351, 40000, 3600
LOCATION = f"http://{ROUTER}:5000/root.xml"

DESCRIPTION = """<?xml version="1.0"?><root xmlns="urn:schemas-upnp-org:device-1-0"><URLBase>{base}</URLBase><device>
<deviceType>urn:schemas-upnp-org:device:InternetGatewayDevice:1</deviceType><serviceList><service>
<serviceType>urn:schemas-upnp-org:service:WANCommonInterfaceConfig:1</serviceType><controlURL>/common</controlURL>
</service><service>
<serviceType>urn:schemas-upnp-org:service:WANIPConnection:1</serviceType><controlURL>{control}</controlURL>
<eventSubURL>/event</eventSubURL><SCPDURL>/scpd</SCPDURL></service></serviceList></device></root>"""

ANSWER = ('<?xml version="1.0"?><s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body>'
          '<u:{action}Response xmlns:u="urn:schemas-upnp-org:service:WANIPConnection:1">{fields}</u:{action}Response>'
          '</s:Body></s:Envelope>')
FAULT = ('<?xml version="1.0"?><s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body><s:Fault><detail>'
         '<UPnPError><errorCode>{code}</errorCode></UPnPError></detail></s:Fault></s:Body></s:Envelope>')


def say(*words):
    print(*words, flush=True)


# --- NAT-PMP (RFC 6886)

def natpmp_reply(mode, request):
    kind = request[1]
    external = "100.64.7.7" if mode == "double-nat" else OUTSIDE
    if mode == "short":
        return bytes([0, 128 + kind, 0, 0])
    if mode == "noise":
        return random.randbytes(random.randrange(64))
    if mode == "other-version":
        return struct.pack(">BBHI", 2, 128 + kind, 1, 7)
    if mode == "refuse":
        return struct.pack(">BBHI", 0, 128 + kind, 2, 7)
    if kind == 0 and mode != "other-kind":
        return struct.pack(">BBHI4s", 0, 128, 0, 7, socket.inet_aton(external))
    inside, wanted, lease = struct.unpack(">HHI", request[4:12]) if kind else (6881, 6881, LEASE)
    if lease:
        wanted, lease = 0 if mode == "no-port" else GRANTED_PORT, 5 if mode == "short-lease" else lease
    inside += mode == "other-port"
    return struct.pack(">BBHIHHI", 0, 130, 0, 7, inside, wanted, lease)


def natpmp(mode, server):
    while True:
        request, sender = server.recvfrom(64)
        say("nat-pmp", request.hex())
        if mode == "flood":  # never an answer to what was asked
            end = time.monotonic() + 6
            while time.monotonic() < end:
                server.sendto(struct.pack(">BBHIHHI", 0, 130, 0, 7, 1, 1, LEASE), sender)
        else:
            server.sendto(natpmp_reply(mode, request), sender)


# --- UPnP: the search

def ssdp(mode, server):
    group = socket.inet_aton("239.255.255.250") + socket.inet_aton(ROUTER)
    server.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, group)
    while True:
        request, sender = server.recvfrom(2048)
        kind = next((line[4:] for line in request.decode().split("\r\n") if line.startswith("ST: ")), "")
        say("ssdp", kind)
        locations = [LOCATION]
        if mode == "elsewhere":
            locations = [f"http://{ELSEWHERE}:8000/root.xml", f"http://{ELSEWHERE}@{ROUTER}:8000/", "http://127.0.0.1:5000/",
                         "ftp://x/", "http://" + "a" * 1000 + "/"]
        if mode == "crowd":
            locations = [f"http://{ROUTER}:5000/{i}.xml" for i in range(40)]
        for location in locations:
            lines = ["HTTP/1.1 200 OK", f"ST: {kind}", f"USN: uuid:1::{location}", f"LOCATION: {location}", "", ""]
            server.sendto("\r\n".join(lines).encode(), sender)


# --- UPnP: description and control

class Device(http.server.BaseHTTPRequestHandler):
    mode = "ok"
    refusals = 0

    def log_message(self, *words):
        pass

    def give(self, status, text, length=None):
        self.send_response(status)
        self.send_header("Content-Length", str(length or len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def endless(self, head, chunk, pause=0.0):
        self.wfile.write(head)
        sent = 0
        try:
            while True:
                sent += self.wfile.write(chunk) or len(chunk)
                time.sleep(pause)
        except OSError:
            say("sent", sent)

    def misbehave(self):
        """Whether it did."""
        head = b"HTTP/1.1 200 OK\r\n"
        if self.mode == "silent":
            time.sleep(3600)
        elif self.mode == "drip":
            self.endless(head + b"\r\n", b"x", 1)
        elif self.mode == "endless-head":
            self.endless(head, b"X-More: yes\r\n" * 1000)
        elif self.mode == "endless-body":
            self.endless(head + b"\r\n", b"<service>" * 8000)
        elif self.mode == "huge-length":
            self.give(200, "<root>", 2**31 - 1)
        elif self.mode == "noise":
            self.wfile.write(random.randbytes(5000))
        else:
            return False
        return True

    def do_GET(self):
        say("get", self.path)
        if self.misbehave():
            return
        if self.mode == "no-service" or self.mode == "crowd":
            self.give(200, "<root><device><serviceList></serviceList></device></root>")
            return
        control = f"http://{ELSEWHERE}:8000/control" if self.mode == "other-host" else "/control"
        self.give(200, DESCRIPTION.format(base="", control=control))

    def do_POST(self):
        action = self.headers["SOAPAction"].strip('"').split("#")[1]
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        field = {name: body.split(f"<{name}>")[1].split("<")[0] for name in
                 ("NewExternalPort", "NewInternalPort", "NewInternalClient", "NewLeaseDuration") if f"<{name}>" in body}
        say("post", action, *field.values())
        if action == "GetExternalIPAddress":
            address = {"double-nat": "192.168.1.2", "no-address": "<x>not an address"}.get(self.mode, OUTSIDE)
            self.give(200, ANSWER.format(action=action, fields=f"<NewExternalIPAddress>{address}</NewExternalIPAddress>"))
            return
        code = self.refusal(action, field)
        self.give(500 if code else 200, FAULT.format(code=code) if code else ANSWER.format(action=action, fields=""))

    def refusal(self, action, field):
        if action != "AddPortMapping":
            return 0
        Device.refusals += 1
        if self.mode == "taken" and Device.refusals < 3:
            return 718
        if self.mode == "permanent" and field["NewLeaseDuration"] != "0":
            return 725
        return 606 if self.mode == "refuse" else 0


class Server(socketserver.ThreadingMixIn, socketserver.TCPServer):  # an HTTPServer asks the DNS for its own name
    allow_reuse_address = daemon_threads = True


def start(function, *arguments):
    threading.Thread(target=function, args=arguments, daemon=True).start()


def bound(address):
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind(address)
    return server


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--natpmp", default="off")
    parser.add_argument("--upnp", default="off")
    options = parser.parse_args()
    if options.natpmp != "off":
        start(natpmp, options.natpmp, bound((ROUTER, NATPMP_PORT)))
    if options.upnp != "off":
        Device.mode = options.upnp
        start(Server((ROUTER, 5000), Device).serve_forever)
        start(ssdp, options.upnp, bound(("", 1900)))
    say("ready")
    threading.Event().wait()


main()
