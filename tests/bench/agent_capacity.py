#!/usr/bin/env python3
"""What an agent takes for 20, 200 and 1000 targets of 507 samples each 10 s, under gzip, shipped by remote write:
share of a core, resident memory, and how late requests come. Lateness is seen from the targets: how far a request
comes behind the earliest one of its target, in the phase of 10 s; the peer's own delays are part of it.

usage: SONDE_BIN=build/release/bin agent_capacity.py [seconds] [targets…]"""
import os
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from metrics_peer import MetricsPeer, cpu_seconds, resident_mib  # noqa: E402
from programs import find_program, free_port, scratch, start, write_file  # noqa: E402

INTERVAL_S, SAMPLES = 10, 507
WARM_UP_S = 2 * INTERVAL_S + 2  # everything was scraped twice


def lateness_ms(arrivals, since):
    """All requests' lateness, sorted."""
    late = []
    for times in arrivals.values():
        phases = [(t - times[0] + INTERVAL_S / 2) % INTERVAL_S for t in times if t >= since]
        late += [(phase - min(phases)) * 1e3 for phase in phases]
    return sorted(late)


def measure(folder, targets, seconds):
    peer = MetricsPeer(compressed=True)
    peer.start()
    hosts = ", ".join(f'"127.1.{i // 250}.{i % 250 + 1}:{peer.port}"' for i in range(targets))
    config = write_file(os.path.join(folder, f"{targets}.yml"),
                        f"global: {{scrape_interval: {INTERVAL_S}s}}\nhost: {{enabled: false}}\n"
                        f"scrape_configs:\n  - job_name: app\n    static_configs: [{{targets: [{hosts}]}}]\n"
                        f"remote_write: [{{url: 'http://127.0.0.1:{peer.port}/write'}}]\n")
    agent = subprocess.Popen([find_program("sonde-agent"), "--config", config, "--data",
                              os.path.join(folder, str(targets)), "--listen", f"127.0.0.1:{free_port()}",
                              "--otlp-listen", f"127.0.0.1:{free_port()}",
                              "--otlp-grpc-listen", f"127.0.0.1:{free_port()}"],
                             stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        time.sleep(WARM_UP_S)
        before, shipped, began = cpu_seconds(agent.pid), peer.received_bytes, time.time()
        time.sleep(seconds)
        passed = time.time() - began
        share = (cpu_seconds(agent.pid) - before) / passed
        samples = targets * SAMPLES / INTERVAL_S * passed
        late = lateness_ms(peer.arrivals, began - INTERVAL_S)
        print(f"{targets:>8} {share:>9.5f} {share * passed / samples * 1e6:>8.2f} {resident_mib(agent.pid):>6.1f} "
              f"{(peer.received_bytes - shipped) / samples:>15.1f} {late[len(late) // 2]:>8.2f} "
              f"{late[int(len(late) * 0.99)]:>8.2f}", flush=True)
    finally:
        agent.terminate()
        agent.wait()


def main():
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 60
    print(f"{'targets':>8} {'cores':>9} {'µs/smpl':>8} {'MiB':>6} {'bytes a sample':>15} {'late p50':>8} {'p99 ms':>8}")
    with scratch() as folder:
        for targets in [int(n) for n in sys.argv[2:]] or [20, 200, 1000]:
            measure(folder, targets, seconds)
    return 0


if __name__ == "__main__":
    start(main)
