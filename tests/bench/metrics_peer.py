"""A peer for the agent that costs little itself: targets that answer ready-made bodies, and a receiver, in one
thread. Threads and parsers of a language with a lock of its own would take the processor from what is measured."""
import gzip
import selectors
import socket
import threading
import time

READ_BYTES = 1 << 20
CHANGES = 8  # bodies with different values


def node_body(number, families=39, series=13):
    """507 samples (39 families of 13) in text of the kind that node_exporter writes; a third of them move."""
    lines = []
    for f in range(families):
        name = f"node_subsystem_operations_{f}_total"
        lines.append(f"# HELP {name} How many operations there were.\n# TYPE {name} counter\n")
        for s in range(series):
            value = (f * 7919 + s * 104729) % 1000003 + (number if (f + s) % 3 == 0 else 0)
            lines.append(f'{name}{{cpu="{s}",device="eth{f % 4}",mode="interrupt_handling"}} {value}\n')
    return "".join(lines).encode()


class MetricsPeer(threading.Thread):
    """Answers GET with metrics (gzip when asked for and wanted), POST with 204."""

    def __init__(self, compressed):
        super().__init__(daemon=True)
        bodies = [node_body(n) for n in range(CHANGES)]
        self.body_bytes = len(bodies[0])
        kind = b"Content-Type: text/plain; version=0.0.4\r\n"
        if compressed:
            bodies = [gzip.compress(b, 6) for b in bodies]
            kind += b"Content-Encoding: gzip\r\n"
        self.wire_bytes = len(bodies[0])
        self.answers = [b"HTTP/1.1 200 OK\r\n%sContent-Length: %d\r\n\r\n%s" % (kind, len(b), b) for b in bodies]
        self.listener = socket.create_server(("0.0.0.0", 0), backlog=4096)
        self.listener.setblocking(False)
        self.port = self.listener.getsockname()[1]
        self.arrivals = {}  # of requests for metrics, by the address they were sent to
        self.received_bytes = 0
        self.selector = selectors.DefaultSelector()
        self.selector.register(self.listener, selectors.EVENT_READ, None)

    def run(self):
        while True:
            ready = self.selector.select()
            now = time.time()
            for key, _ in ready:
                if key.data is None:
                    self.accept()
                else:
                    self.read(key.fileobj, key.data, now)

    def accept(self):
        connection, _ = self.listener.accept()
        connection.setblocking(False)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 18)
        state = {"rest": b"", "address": connection.getsockname()[0]}
        self.selector.register(connection, selectors.EVENT_READ, state)

    def read(self, connection, state, now):
        try:
            data = connection.recv(READ_BYTES)
        except OSError:
            data = b""
        if not data:
            self.selector.unregister(connection)
            connection.close()
            return
        state["rest"] += data
        while state["rest"]:
            head, found, body = state["rest"].partition(b"\r\n\r\n")
            if not found:
                return
            if head.startswith(b"GET"):
                self.arrivals.setdefault(state["address"], []).append(now)
                state["rest"] = body
                connection.sendall(self.answers[int(now) % CHANGES])
                continue
            size = next(int(line.split(b":")[1]) for line in head.split(b"\r\n")
                        if line.lower().startswith(b"content-length"))
            if len(body) < size:
                return
            self.received_bytes += size
            state["rest"] = body[size:]
            connection.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")


def cpu_seconds(pid):
    """Of all its threads, by the clock of the process, which the kernel keeps in nanoseconds."""
    return time.clock_gettime(~pid << 3 | 2)


def resident_mib(pid):
    with open(f"/proc/{pid}/status", encoding="utf-8") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmRSS")) / 1024
