"""A provider on this machine that behaves as badly as asked: the first word of the path says how."""

import socket
import socketserver
import threading
import time
from collections import Counter


class Provider(socketserver.ThreadingTCPServer):
    """Counts and keeps what it is asked; stop it with `stop()`."""

    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 200

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.requests, self.connections, self.lock = [], 0, threading.Lock()
        self.seen = Counter()
        self.asked = threading.Event()
        self.failing = threading.Event()
        self.answer = threading.Event()
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self.thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.01})
        self.thread.start()

    def stop(self):
        self.answer.set()
        self.shutdown()
        self.server_close()
        self.thread.join()

    def handle_error(self, request, client_address):
        """Clients that hang up are what is tested here."""


class Handler(socketserver.StreamRequestHandler):
    def handle(self):
        with self.server.lock:
            self.server.connections += 1
        while request := self.read():
            with self.server.lock:
                self.server.requests.append(request)
                self.server.seen[request["path"]] += 1
                request["number"] = self.server.seen[request["path"]]
            self.server.asked.set()
            how = request["path"].strip("/").partition("/")[0].partition("?")[0]
            if getattr(self, how.replace("-", "_"))(request) is False:
                return

    def read(self):
        line = self.rfile.readline().decode()
        if not line:
            return None
        method, path, _ = line.split()
        headers = {}
        while (line := self.rfile.readline().decode().strip()) != "":
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        body = self.rfile.read(int(headers.get("content-length", 0)))
        return {"method": method, "path": path, "headers": headers, "body": body}

    def say(self, status, body=b"{}", **headers):
        lines = [f"HTTP/1.1 {status} Whatever", f"Content-Length: {len(body)}"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        self.wfile.write("\r\n".join([*lines, "", ""]).encode() + body)

    def ok(self, request):
        self.say(200, b'{"ok": true}', Content_Type="application/json")

    def cookie(self, request):
        self.say(200, Set_Cookie="session=ada; Path=/")

    def status(self, request):
        """`/status/503/2`: this status twice, then 200."""
        _, _, status, times = request["path"].partition("?")[0].split("/")
        self.say(int(status) if request["number"] <= int(times) else 200)

    def later(self, request):
        """`/later/<Retry-After>`: once, then 200."""
        self.say(503 if request["number"] == 1 else 200, Retry_After=request["path"].split("/")[2].replace("%20", " "))

    def breaking(self, request):
        """200, or 500 while `failing` is set."""
        self.say(500 if self.server.failing.is_set() else 200)

    def waiting(self, request):
        """Nothing, until `answer` is set."""
        self.server.answer.wait(60)
        self.say(200)

    def hang(self, request):
        self.server.answer.wait(60)
        return False

    def drip_headers(self, request):
        return self.drip(request, b"HTTP/1.1 200 OK\r\nX-Long: " + b"x" * 4000)

    def drip_body(self, request):
        self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
        return self.drip(request, b"x" * 4000)

    def drip(self, request, text):
        for byte in text:
            if self.server.answer.is_set():
                break
            self.wfile.write(bytes([byte]))
            self.wfile.flush()
            time.sleep(0.02)
        return False

    def close(self, request):
        """Hang up: without a word the first time, then answer."""
        if request["number"] > 1:
            self.say(200)
            return True
        self.request.shutdown(socket.SHUT_RDWR)
        return False

    def half(self, request):
        """Hang up in the middle of an answer."""
        self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
        self.wfile.flush()
        self.request.shutdown(socket.SHUT_RDWR)
        return False

    def nonsense(self, request):
        self.wfile.write(b"\x00\xff\xfe not http at all\r\n\r\n")
        self.wfile.flush()
        return False

    def big(self, request):
        """More than is announced: chunks without end."""
        self.wfile.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in range(10_000):
            self.wfile.write(b"1000\r\n" + b"x" * 4096 + b"\r\n")
        return False

    def huge(self, request):
        self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 999999999999\r\n\r\n")
        return False

    def redirect(self, request):
        self.say(302, Location="/ok")
