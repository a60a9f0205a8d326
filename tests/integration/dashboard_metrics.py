#!/usr/bin/env python3
"""Every metric that the dashboard Node Exporter Full queries arrives from an agent of this machine under the host's job,
or what it is read from is not here; and each rule of the USE method has data. The list is node_exporter_full.txt, the
rules are dashboards/rules."""
import glob
import os
import re
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../support"))
from programs import ROOT, agent, scratch, server, start, wait_until  # noqa: E402

CONFIG = """
host: {interval: 1s, collectors: [interrupts, processes, tcpstat]}
"""

# What begins so comes from there; a pattern behind # must be found in the file.
SOURCES = [
    ("node_cooling_device_", "/sys/class/thermal/cooling_device*"),
    ("node_cpu_scaling_", "/sys/devices/system/cpu/cpu*/cpufreq"),
    ("node_hwmon_", "/sys/class/hwmon/hwmon*"),
    ("node_memory_HardwareCorrupted_", "/proc/meminfo#HardwareCorrupted:"),
    ("node_memory_Zswap", "/proc/meminfo#Zswap"),
    ("node_memory_DirectMap", "/proc/meminfo#DirectMap1G"),
    ("node_power_supply_", "/sys/class/power_supply/*"),
    ("node_pressure_irq_", "/proc/pressure/irq"),
    ("node_pressure_", "/proc/pressure"),
    ("node_schedstat_", "/proc/schedstat"),
    ("node_nf_conntrack_", "/proc/sys/net/netfilter/nf_conntrack_count"),
    ("node_kernel_hung_", "/proc/sys/kernel/hung_task_detect_count"),
    ("node_network_speed_", "/sys/class/net/*/speed"),
    ("node_disk_", "/proc/diskstats#."),
    ("node_filesystem_", "/proc/1/mountinfo#/dev/"),
]
# Not of every host: those of systemd's units (see test_systemd_collector).
ELSEWHERE = re.compile(r"node_systemd_")


def is_here(source):
    path, _, pattern = source.partition("#")
    for name in glob.glob(path):
        if not pattern:
            return True
        with open(name, encoding="utf-8", errors="replace") as file:
            if re.search(pattern, file.read()):
                return True
    return False


def names_of(store, selector):
    return {series["metric"]["__name__"] for series in store.query(f"group by (__name__) ({selector})")}


def missing_metrics(given):
    """(how many are wanted, how many have no source here, sentences about the rest)."""
    with open(os.path.join(HERE, "node_exporter_full.txt"), encoding="utf-8") as file:
        wanted = [line.strip() for line in file if not line.startswith("#")]
    missing, absent = [], 0
    for name in wanted:
        if name in given or ELSEWHERE.match(name):
            continue
        source = next((s for prefix, s in SOURCES if name.startswith(prefix)), None)
        if source is None or is_here(source):
            missing.append(f"{name}: not given, and {source or 'no source'} is here")
        absent += source is not None
    return len(wanted), absent, missing


def silent_rules(store, given):
    """The rules of the USE method, and sentences about those without data though what they read is there."""
    rules = [rule for group in store.api("rules")["groups"] for rule in group["rules"]]
    silent = []
    for rule in rules:
        read = set(re.findall(r"\bnode_\w+(?=\{)", rule["query"]))
        if rule["health"] == "err":
            silent.append(f"{rule['name']}: {rule['lastError']}")
        elif ":" in rule["query"]:
            continue  # reads another rule, which has to be recorded first: see main
        elif read & given and not store.query(rule["query"]):
            silent.append(f"{rule['name']}: {rule['query']} gives nothing")
    return rules, silent


def main():
    with scratch() as folder, \
            server(folder, flags=["--rules", os.path.join(ROOT, "dashboards/rules/*.yaml")]) as store, \
            agent(folder, config=CONFIG, servers=[store.url], flags=["--otlp-listen", "", "--otlp-grpc-listen", ""]):
        wait_until(lambda: (store.value('min(count_over_time(node_load1{job="node"}[1m]))') or 0) >= 4, 60, "four scrapes")
        given = names_of(store, '{job="node"}')
        wanted, absent, missing = missing_metrics(given)
        rules, silent = silent_rules(store, given)
        wait_until(lambda: store.query("instance:node_load1_per_cpu:ratio"), 90, "a rule that reads another one is recorded")
    print(f"{wanted} metrics, {absent} without a source on this machine, {len(missing)} missing; {len(rules)} rules, "
          f"{len(silent)} without data")
    for line in missing + silent:
        print(line)
    return 1 if missing or silent or not rules else 0


if __name__ == "__main__":
    start(main)
