#!/usr/bin/env python3
"""Every metric that the dashboard Node Exporter Full queries is given on this machine, or what it is read from
is not here. The list is node_exporter_full.txt.

usage: dashboard_metrics.py print_host_metrics COLLECTOR…"""
import glob
import os
import re
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))

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
# Not of every host: those of the agent's own process, and of systemd's units (see test_systemd_collector).
ELSEWHERE = re.compile(r"process_|node_systemd_")


def is_here(source):
    path, _, pattern = source.partition("#")
    for name in glob.glob(path):
        if not pattern:
            return True
        with open(name, encoding="utf-8", errors="replace") as file:
            if re.search(pattern, file.read()):
                return True
    return False


def main():
    program, collectors = sys.argv[1], sys.argv[2:]
    if not os.access(program, os.X_OK):
        print(f"skipped: {program} is not built")
        return 77
    text = subprocess.run([program, "--passes", "2", *collectors], capture_output=True, text=True, check=True).stdout
    given = {re.match(r"[^{ ]+", line).group(0) for line in text.splitlines() if line and not line.startswith("#")}
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
    print(f"{len(wanted)} metrics, {absent} without a source on this machine, {len(missing)} missing")
    for line in missing:
        print(line)
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
