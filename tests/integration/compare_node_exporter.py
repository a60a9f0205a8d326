#!/usr/bin/env python3
"""Compares host metrics with those of node_exporter on the same machine at the same time.

    compare_node_exporter.py [--url URL] [--node-exporter PATH] [--reference FILE] [--verbose] [COMMAND...]

Starts node_exporter on a free loopback port with the defaults of its current release, takes ours from
URL, from the standard output of COMMAND (which prints one exposition) or, when neither is given, from a
sonde-agent that it starts. It does so before and after theirs, and checks for every metric that both
have: same type, same label sets, and a value that lies between our two (counters), or near them (what
moves by itself), or is equal (what does not move). Lists what only node_exporter has. Exit status 0 when
all is well, 1 for a difference, 77 without node_exporter.
"""
import argparse
import math
import os
import re
import shutil
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from programs import agent, free_port, get, scratch, start  # noqa: E402

# Defaults of current releases; distributions and older releases have others.
NODE_EXPORTER_FLAGS = [
    "--collector.netdev.device-exclude=^$",
    "--collector.diskstats.device-exclude=^(z?ram|loop|fd|(h|s|v|xv)d[a-z]|nvme\\d+n\\d+p)\\d+$",
    "--collector.filesystem.mount-points-exclude="
    "^/(dev|proc|run/credentials/.+|sys|var/lib/docker/.+|var/lib/containers/storage/.+)($|/)",
    "--collector.filesystem.fs-types-exclude="
    "^(autofs|binfmt_misc|bpf|cgroup2?|configfs|debugfs|devpts|devtmpfs|fusectl|hugetlbfs|iso9660|mqueue|nsfs"
    "|overlay|proc|procfs|pstore|rpc_pipefs|securityfs|selinuxfs|squashfs|erofs|sysfs|tracefs)$",
    "--collector.netstat.fields="
    "^(.*_(InErrors|InErrs)|Ip_Forwarding|Ip(6|Ext)_(InOctets|OutOctets)|Icmp6?_(InMsgs|OutMsgs)"
    "|TcpExt_(Listen.*|Syncookies.*|TCPSynRetrans|TCPTimeouts|TCPOFOQueue|TCPRcvQDrop)"
    "|Tcp_(ActiveOpens|InSegs|OutSegs|OutRsts|PassiveOpens|RetransSegs|CurrEstab|MaxConn)"
    "|Udp6?_(InDatagrams|OutDatagrams|NoPorts|RcvbufErrors|SndbufErrors))$",
    "--collector.cpu.guest",
]

# Collectors that are off by default: switched on there where ours are on.
OPTIONAL_COLLECTORS = ["interrupts", "processes", "tcpstat"]

# Labels that came with later releases than a distribution may have: ignored when the other side's
# metric has none of that name.
LATER_LABELS = {"adminstate", "device_error", "rotational"}

# About the exporter itself, or about how long it took.
OWN = re.compile(r"^(go_|process_|promhttp_|node_exporter_|node_scrape_collector_duration_seconds$|scrape_)")

# Gauges that move by themselves: name pattern, relative and absolute tolerance.
MOVING = [
    (r"^node_memory_", 0.2, 256 << 20),
    (r"^node_load", 0.5, 3),
    (r"^node_filesystem_(avail|free)_bytes$", 0.05, 256 << 20),
    (r"^node_filesystem_files_free$", 0.05, 20000),
    (r"^node_time_seconds$", 0, 30),
    (r"^node_timex_(offset|maxerror|estimated_error)_seconds$", 0.5, 1),
    (r"^node_timex_frequency", 0.001, 0.001),
    (r"^node_procs_(running|blocked)$", 0, 64),
    (r"^node_(sockstat|filefd|netstat|udp|arp|nf_conntrack_entries|processes|entropy)", 0.5, 256),
    (r"^node_disk_io_now$", 0, 512),
    (r"^node_(cpu|cpufreq)_.*hertz$", 0.5, 0),
    (r"^node_(hwmon|thermal|cooling|power)", 0.3, 20),
    (r"^node_softnet_backlog_len$", 0, 1000),
    (r"^node_tcp_connection_states$", 1, 1 << 20),
    (r"^node_vmstat_", 0.2, 100000),
]

# Series that come and go with processes and connections.
PASSING = re.compile(r"^node_(processes_|tcp_connection_states|arp_entries)")

SAMPLE = re.compile(r'^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? ([^ ]+)$')
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"')


class Exposition:
    """Types by metric, values by metric and label set."""

    def __init__(self, text):
        self.types = {}
        self.samples = {}
        for line in text.split("\n"):
            if line.startswith("# TYPE "):
                _, _, name, kind = line.split(" ", 3)
                if name in self.types:
                    raise SystemExit(f"two TYPE lines for {name}")
                self.types[name] = kind
            elif line and not line.startswith("#"):
                match = SAMPLE.match(line)
                if match is None:
                    raise SystemExit(f"not a sample: {line}")
                name, labels, value = match.groups()
                key = frozenset(LABEL.findall(labels or ""))
                series = self.samples.setdefault(name, {})
                if key in series:
                    raise SystemExit(f"two samples of {line}")
                series[key] = float(value)

    def label_names(self, name):
        return {label for key in self.samples[name] for label, _ in key}

    def without_labels(self, name, dropped):
        return {frozenset(p for p in key if p[0] not in dropped): value
                for key, value in self.samples[name].items()}


def take_ours(arguments):
    if arguments.url:
        return Exposition(get(arguments.url).text)
    return Exposition(subprocess.run(arguments.command, check=True, capture_output=True, text=True).stdout)


def collectors_of(exposition):
    """Names of the collectors that took part."""
    return {value for key in exposition.samples.get("node_scrape_collector_success", {})
            for label, value in key if label == "collector"}


def take_theirs(path, optional):
    port = free_port()
    flags = NODE_EXPORTER_FLAGS + [f"--collector.{name}" for name in optional]
    process = subprocess.Popen([path, f"--web.listen-address=127.0.0.1:{port}", "--log.level=error"]
                               + flags, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 20
        while True:
            try:
                return get(f"http://127.0.0.1:{port}/metrics").text
            except OSError:
                if process.poll() is not None or time.monotonic() > deadline:
                    raise SystemExit("node_exporter does not answer")
                time.sleep(0.05)
    finally:
        process.terminate()
        process.wait()


def tolerance(name):
    for pattern, relative, absolute in MOVING:
        if re.match(pattern, name):
            return relative, absolute
    return 0, 0


def value_agrees(name, kind, before, theirs, after):
    if math.isnan(theirs):
        return math.isnan(before)
    low, high = min(before, after), max(before, after)
    relative, absolute = tolerance(name)
    slack = absolute + relative * max(abs(low), abs(high)) + 1e-9 * abs(high)
    if kind == "counter":
        slack = max(slack, 0.02)  # two ticks: values of one file are not read at one instant
    return low - slack <= theirs <= high + slack


def compare_metric(name, before, theirs, after):
    """Differences of one metric as sentences."""
    if before.types.get(name) != theirs.types.get(name):
        return [f"{name}: type {before.types.get(name)}, node_exporter {theirs.types.get(name)}"]
    dropped = (before.label_names(name) ^ theirs.label_names(name)) & LATER_LABELS
    ours_before = before.without_labels(name, dropped)
    ours_after = after.without_labels(name, dropped) if name in after.samples else {}
    reference = theirs.without_labels(name, dropped)
    differences = []
    for key in sorted(reference.keys() | ours_before.keys(), key=sorted):
        text = name + "{" + ",".join(f'{k}="{v}"' for k, v in sorted(key)) + "}"
        if (key not in ours_before or key not in reference) and PASSING.match(name):
            continue
        if key not in ours_before:
            differences.append(f"{text}: only node_exporter has it")
        elif key not in reference:
            differences.append(f"{text}: node_exporter lacks it")
        elif not value_agrees(name, theirs.types[name], ours_before[key], reference[key],
                              ours_after.get(key, ours_before[key])):
            differences.append(f"{text}: {ours_before[key]!r} … {ours_after.get(key)!r}, "
                               f"node_exporter {reference[key]!r}")
    return differences


def compare(before, theirs, after, verbose):
    names = {name for name in theirs.samples if not OWN.match(name)}
    # Collectors that we do not have at all are no difference; they are listed.
    enabled = collectors_of(before)
    for exposition in (before, theirs, after):
        series = exposition.samples.get("node_scrape_collector_success", {})
        for key in [k for k in series if dict(k)["collector"] not in enabled]:
            del series[key]
    known = collectors_of(theirs)
    for exposition in (before, after):
        series = exposition.samples["node_scrape_collector_success"]
        for key in [k for k in series if dict(k)["collector"] not in known]:
            del series[key]
    both = sorted(names & before.samples.keys())
    differences = []
    for name in both:
        differences += compare_metric(name, before, theirs, after)
    for line in differences:
        print("DIFFERS  ", line)
    for name in sorted(names - before.samples.keys()):
        print("ONLY THEIRS", name)
    if verbose:
        for name in sorted(before.samples.keys() - theirs.samples.keys()):
            print("ONLY OURS  ", name)
    series = sum(len(theirs.samples[name]) for name in both)
    print(f"{len(both)} metrics, {series} series compared, {len(differences)} differences, "
          f"{len(names - before.samples.keys())} metrics only in node_exporter")
    return 1 if differences else 0


def take_and_compare(arguments):
    before = take_ours(arguments)
    if arguments.reference:
        with open(arguments.reference, encoding="utf-8") as file:
            theirs = Exposition(file.read())
    else:
        theirs = Exposition(take_theirs(
            arguments.node_exporter, [name for name in OPTIONAL_COLLECTORS if name in collectors_of(before)]))
    after = take_ours(arguments)
    return compare(before, theirs, after, arguments.verbose)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--url")
    parser.add_argument("--node-exporter", default=shutil.which("prometheus-node-exporter")
                        or shutil.which("node_exporter"))
    parser.add_argument("--reference", help="an exposition of node_exporter instead of a live one")
    parser.add_argument("--verbose", action="store_true", help="list what only we have, too")
    parser.add_argument("command", nargs=argparse.REMAINDER)
    arguments = parser.parse_args()
    has_exporter = arguments.node_exporter and os.access(arguments.node_exporter, os.X_OK)
    if not arguments.reference and not has_exporter:
        print("node_exporter is not installed; nothing compared")
        return 77
    if arguments.url or arguments.command:
        return take_and_compare(arguments)
    with scratch() as folder, agent(folder, servers=[f"http://127.0.0.1:{free_port()}"]) as running:
        arguments.url = running.url + "/metrics"
        take_ours(arguments)  # a mount may answer for the first time after the first pass
        return take_and_compare(arguments)


if __name__ == "__main__":
    start(main)
