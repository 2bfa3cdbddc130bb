"""Small real senders on this machine: a web server, a UDP stream, each with numbered pictures."""

import io
import socket
import socketserver
import ssl
import struct
import threading
import time
from base64 import b64encode
from collections.abc import Callable, Container, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path
from typing import BinaryIO

import av
import numpy as np
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

HEIGHT, WIDTH = 48, 64

#: Pictures are numbered from 0 again after so many.
CYCLE = 35


def picture(number: int, *, height: int = HEIGHT, width: int = WIDTH) -> np.ndarray:
    """A gray field whose brightness is its number."""
    return np.full((height, width, 3), 30 + 6 * (number % CYCLE), np.uint8)


def number_of(image: np.ndarray) -> int:
    return round((float(np.median(image)) - 30) / 6)


def coded(
    n: int, *, codec: str = "libx264", fps: int = 30, keys: int = 10, height: int = HEIGHT, width: int = WIDTH
) -> Iterator[tuple[av.VideoStream, av.Packet]]:
    """The packets of `n` numbered pictures, a key picture each `keys`; MPEG-2 in another order than shown."""
    with av.open(io.BytesIO(), "w", format="mpegts") as unused:
        stream = unused.add_stream(codec, rate=fps)
        stream.height, stream.width = height, width
        stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        stream.gop_size = keys
        quick = {"tune": "zerolatency", "preset": "ultrafast", "threads": "1"}
        other = {"sc_threshold": "1000000000", "bf": "2" if codec == "mpeg2video" else "0"}
        stream.options = quick if codec == "libx264" else other
        for number in range(n):
            frame = av.VideoFrame.from_ndarray(picture(number, height=height, width=width), format="rgb24")
            for packet in stream.encode(frame):
                yield stream, packet
        for packet in stream.encode():
            yield stream, packet


def mpeg_ts(n: int, **how) -> bytes:
    """An MPEG transport stream of `n` numbered pictures."""
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mpegts") as container:
        stream = None
        for template, packet in coded(n, **how):
            stream = stream or container.add_stream_from_template(template)
            packet.stream = stream
            container.mux(packet)
    return buffer.getvalue()


def with_sound(n: int, *, seconds: int) -> bytes:
    """The same with silence beside it, which goes on after the last picture."""
    buffer, samples = io.BytesIO(), 1152
    with av.open(buffer, "w", format="mpegts") as container, av.open(io.BytesIO(mpeg_ts(n))) as pictures:
        stream = container.add_stream_from_template(pictures.streams.video[0])
        sound = container.add_stream("mp2", rate=48000, layout="mono")
        for packet in pictures.demux(video=0):
            if packet.size:
                packet.stream = stream
                container.mux(packet)
        for number in range(seconds * 48000 // samples):
            silence = av.AudioFrame.from_ndarray(
                np.zeros((1, samples), np.int16), format="s16", layout="mono"
            )
            silence.sample_rate, silence.pts = 48000, number * samples
            container.mux(sound.encode(silence))
    return buffer.getvalue()


def jpegs(n: int) -> list[bytes]:
    return [bytes(packet) for _, packet in coded(n, codec="mjpeg") if packet.size]


Answer = Callable[[BaseHTTPRequestHandler, BinaryIO], None]


@contextmanager
def web_server(
    *answers: Answer, tls: ssl.SSLContext | None = None
) -> Iterator[tuple[str, list[dict[str, str]]]]:
    """Answers each visitor with the next function, the last one for ever; its address, and the headers it got."""
    seen: list[dict[str, str]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            seen.append(dict(self.headers))
            answer = answers[min(len(seen), len(answers)) - 1]
            with suppress(OSError):  # the visitor may have left
                answer(self, self.wfile)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.block_on_close = False
    server.handle_error = lambda *_: None
    if tls:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_port}", seen
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def own_certificate(folder: Path) -> tuple[ssl.SSLContext, Path]:
    """What a server on this machine shows that no authority has signed, and the file to trust it by."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "probe")])
    signed = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    secret = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "certificate.pem").write_bytes(signed.public_bytes(pem))
    (folder / "key.pem").write_bytes(secret)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "certificate.pem", folder / "key.pem")
    return context, folder / "certificate.pem"


def sending(data: bytes, *, kind: str = "video/mp2t", sized: bool = False, then_wait_s: float = 0) -> Answer:
    """Answer with these bytes; without a size, as a live sender does, unless `sized`."""

    def answer(visitor: BaseHTTPRequestHandler, out: BinaryIO) -> None:
        visitor.send_response(200)
        visitor.send_header("Content-Type", kind)
        if sized:
            visitor.send_header("Content-Length", str(len(data)))
        visitor.end_headers()
        out.write(data)
        out.flush()
        time.sleep(then_wait_s)

    return answer


def refusing(status: int) -> Answer:
    return lambda visitor, _: visitor.send_error(status)


def sending_jpegs(pictures: list[bytes], *, fps: float) -> Answer:
    """Answer as web cameras do: JPEG pictures one after the other, each when it is made."""

    def answer(visitor: BaseHTTPRequestHandler, out: BinaryIO) -> None:
        visitor.send_response(200)
        visitor.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
        visitor.end_headers()
        for jpeg in pictures:
            out.write(b"--frame\r\nContent-Type: image/jpeg\r\n")
            out.write(b"Content-Length: %d\r\n\r\n%b\r\n" % (len(jpeg), jpeg))
            out.flush()
            time.sleep(1 / fps)

    return answer


class _RtspVisit(socketserver.StreamRequestHandler):
    """One visitor of an RTSP server (RFC 2326) that sends a transport stream over the same connection (RFC 2250)."""

    def handle(self) -> None:
        while line := self.rfile.readline().decode():
            method, number, trusted = line.split()[0], "0", False
            while header := self.rfile.readline().decode().strip():
                key, _, value = header.partition(": ")
                number = value if key == "CSeq" else number
                trusted |= key == "Authorization" and value == f"Basic {b64encode(b'user:secret').decode()}"
            if not trusted:
                self.answer(number, "WWW-Authenticate: Basic realm=probe", status="401 Unauthorized")
                continue
            host, port = self.server.server_address[:2]
            told = "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\nm=video 0 RTP/AVP 33\r\na=control:track\r\n"
            extra = {
                "OPTIONS": ("Public: DESCRIBE, SETUP, PLAY",),
                "DESCRIBE": ("Content-Type: application/sdp", f"Content-Base: rtsp://{host}:{port}/probe/"),
                "SETUP": ("Transport: RTP/AVP/TCP;unicast;interleaved=0-1", "Session: 1"),
            }.get(method, ("Session: 1",))
            self.answer(number, *extra, body=told if method == "DESCRIBE" else "")
            if method == "PLAY":
                self.play(self.server.data)
                return

    def answer(self, number: str, *headers: str, status: str = "200 OK", body: str = "") -> None:
        lines = [f"RTSP/1.0 {status}", f"CSeq: {number}", *headers, f"Content-Length: {len(body)}", "", body]
        self.wfile.write("\r\n".join(lines).encode())

    def play(self, data: bytes) -> None:
        size = 7 * 188
        for n, start in enumerate(range(0, len(data), size)):
            packet = struct.pack(">BBHII", 0x80, 33, n & 0xFFFF, n * 3000, 1) + data[start : start + size]
            self.wfile.write(struct.pack(">cBH", b"$", 0, len(packet)) + packet)


@contextmanager
def rtsp_server(data: bytes) -> Iterator[str]:
    """Sends a transport stream to each visitor who is user:secret, and hangs up; its address."""
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), _RtspVisit) as server:
        server.daemon_threads, server.data = True, data
        server.handle_error = lambda *_: None  # the visitor left
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        yield f"127.0.0.1:{server.server_address[1]}/probe"
        server.shutdown()


def free_port() -> int:
    """A UDP port that nobody listens at."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class UdpSender:
    """Sends a transport stream to a port, without some of its datagrams, at so many pictures a second."""

    def __init__(self, port: int, data: bytes, *, n: int, fps: float, skip: Container[int] = ()) -> None:
        self._to, self._data, self._skip = ("127.0.0.1", port), data, skip
        self._seconds = n / fps
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> "UdpSender":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        size, start_s = 7 * 188, time.monotonic()
        pieces = [self._data[i : i + size] for i in range(0, len(self._data), size)]
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
            for n, piece in enumerate(pieces):
                if self._stop.wait(max(start_s + n * self._seconds / len(pieces) - time.monotonic(), 0)):
                    return
                if n not in self._skip:
                    out.sendto(piece, self._to)
