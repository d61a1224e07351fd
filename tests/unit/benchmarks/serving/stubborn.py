"""`python -m ... PORT [deaf]`: a server with a child that ignores SIGTERM, as a deaf one does."""

import signal
import subprocess
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.do_GET()

    def log_message(self, *_: object) -> None:
        pass


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # the child inherits it
    subprocess.Popen(["sleep", "600"])
    if "deaf" not in sys.argv:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
    HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
