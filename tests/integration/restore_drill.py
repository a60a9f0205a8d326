#!/usr/bin/env python3
"""The day the disk is lost, and the commands of docs/backup.md.

    restore_drill.py [--seconds N]

drill  A server under load is backed up, backed up again by what is new, killed with SIGKILL; its data
       folder is destroyed, restored from the backup, and the server started. Printed: the recovery point
       (seconds of acknowledged samples that are gone) and the recovery time (seconds from the kill to the
       first answer). What must hold: every sample and every trace acknowledged before the backup began is
       there, nothing is there that was not sent, and the store is sound and takes samples.

docs   Every command of docs/backup.md, in its order, in one folder.
"""
import argparse
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
import remote_write  # noqa: E402
import traces  # noqa: E402
from programs import (ROOT, Failure, find_program, get, post, prometheus, scratch, send,  # noqa: E402
                      server, start, wait_until)

SERIES = 50
ADMIN = ["--web.enable-admin-api"]
SPANS_OF_A_TRACE = 3


def value_of(series, number):
    return number + series / 64


class Writer(threading.Thread):
    """Sends a scrape after the other, as fast as they are answered, and a trace with each. The sample with
    number n of every series has the time begin + n milliseconds, the trace the id n + 1."""

    def __init__(self, address):
        super().__init__(daemon=True)
        self.address = address
        self.begin = int(time.time() * 1000) - 3600_000
        self.acknowledged = []  # (moment of the answer, number)
        self.traces = []  # likewise
        self.sent = 0
        self.done = threading.Event()

    def run(self):
        while not self.done.is_set():
            number = self.sent
            self.sent += 1
            try:
                status, _, _ = remote_write.write(self.address, self.scrape(number))
            except OSError:
                return
            if status // 100 == 2:
                self.acknowledged.append((time.monotonic(), number))
            try:
                answer = send(f"http://{self.address}/v1/traces", self.trace(number),
                              {"Content-Type": traces.PROTOBUF}, "POST")
            except OSError:
                return
            if answer.status == 200:
                self.traces.append((time.monotonic(), number))
            time.sleep(0.002)

    def scrape(self, number):
        return [({"__name__": "drill", "instance": "a", "series": str(s)},
                 [(self.begin + number, value_of(s, number))]) for s in range(SERIES)]


    @staticmethod
    def trace(number):
        spans = [traces.span(number + 1, 10 * number + i + 1, "drill", 60, 5) for i in range(SPANS_OF_A_TRACE)]
        return traces.message("drill", *spans)


def tool(*words, cwd=None):
    done = subprocess.run([find_program("sonde"), *words], text=True, timeout=300, capture_output=True, cwd=cwd)
    if done.returncode != 0 or done.stderr:
        raise Failure(f"sonde {' '.join(words)}: {done.returncode} {done.stdout}{done.stderr}")
    print(done.stdout.strip())


def numbers_in(store, writer):
    """The numbers that every series has; a Failure when they are not the same or a value is wrong."""
    found = None
    for series in store.query("drill[2h]", time=writer.begin / 1000 + 3600):
        index = int(series["metric"]["series"])
        numbers = set()
        for t, value in series["values"]:
            number = round(t * 1000) - writer.begin
            if float(value) != value_of(index, number):
                raise Failure(f"series {index} at {number}: {value}, sent {value_of(index, number)}")
            numbers.add(number)
        if found is not None and numbers != found:
            raise Failure(f"series {index}: half a scrape: {sorted(numbers ^ found)[:5]}")
        found = numbers
    return found or set()


def check_traces(store, writer, began):
    owed = [number for moment, number in writer.traces if moment < began]
    for number in owed:
        answer = get(f"{store.url}/api/traces/{number + 1:032x}")
        found = len(answer.json()["data"][0]["spans"]) if answer.status == 200 else 0
        if found != SPANS_OF_A_TRACE:
            raise Failure(f"trace {number + 1} was acknowledged before the backup and has {found} spans")
    if not owed:
        raise Failure("no trace was acknowledged")
    print(f"{len(owed)} traces were acknowledged before the backup, and are there")


def add_silence(store):
    """Its id: it lives in a journal beside the samples."""
    now = time.time()
    body = {"matchers": [{"name": "alertname", "value": "Slow", "isRegex": False}], "createdBy": "me", "comment": "drill",
            "startsAt": rfc3339(now), "endsAt": rfc3339(now + 3600)}
    answer = send(f"{store.url}/api/v2/silences", json.dumps(body).encode(), {"Content-Type": "application/json"}, "POST")
    if answer.status != 200:
        raise Failure(f"a silence was answered {answer.status} {answer.text}")
    return answer.json()["silenceID"]


def rfc3339(seconds):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def check_silence(store, silence):
    found = [s["id"] for s in get(f"{store.url}/api/v2/silences").json()]
    if found != [silence]:
        raise Failure(f"silences {found}, expected {silence}")
    print("the silence from before the backup is there")


def drill(seconds):
    with scratch() as place:
        data = os.path.join(place, "server")
        s = server(place, flags=ADMIN)
        with s:
            writer = Writer(s.address)
            writer.start()
            time.sleep(seconds / 3)
            if post(f"{s.url}/api/v1/admin/tsdb/compact").status != 204:  # parts, for the increment to link
                raise Failure("compact")
            tool("backup", os.path.join(place, "first"), "--data", data, "--server", s.url)
            silence = add_silence(s)
            time.sleep(seconds / 3)
            began = time.monotonic()
            tool("backup", os.path.join(place, "second"), "--data", data, "--server", s.url,
                 "--base", os.path.join(place, "first"))
            time.sleep(seconds / 3)
            killed = time.monotonic()
            s.kill()
            writer.done.set()
            writer.join()
            shutil.rmtree(data)
            tool("restore", os.path.join(place, "second"), "--data", data)
            s.start()
            found = wait_until(lambda: numbers_in(s, writer), 60, "the first answer")
            recovered = time.monotonic()
            check(writer, found, began, killed, recovered)
            check_traces(s, writer, began)
            check_silence(s, silence)
            fresh = writer.scrape(writer.sent + 10)
            if remote_write.write(s.address, fresh)[0] // 100 != 2:
                raise Failure("the restored server takes no samples")
        tool("tsdb", "verify", data)
        tool("tsdb", "verify", os.path.join(place, "second"))


def check(writer, found, began, killed, recovered):
    owed = {number for moment, number in writer.acknowledged if moment < began}
    if not owed or owed - found:
        raise Failure(f"acknowledged before the backup and lost: {sorted(owed - found)[:5]} of {len(owed)}")
    if max(found) >= writer.sent:
        raise Failure("there is what was never sent")
    lost = [moment for moment, number in writer.acknowledged if number not in found]
    print(f"acknowledged {len(writer.acknowledged) * SERIES} samples, lost {len(lost) * SERIES}; "
          f"recovery point {killed - min(lost, default=killed):.2f} s, recovery time {recovered - killed:.2f} s")


# ---- docs/backup.md ------------------------------------------------------------------------------


def commands():
    with open(os.path.join(ROOT, "docs/backup.md"), encoding="utf-8") as file:
        text = file.read()
    for block in re.findall(r"^```sh\n(.*?)^```", text, re.DOTALL | re.MULTILINE):
        yield from (line for line in block.replace("\\\n", " ").splitlines() if line.strip())


def run_documented():
    """Services are the programs started here, the address that of the server; the rest is run as it stands."""
    with scratch() as place:
        os.makedirs(os.path.join(place, "bin"))
        os.symlink(find_program("sonde"), os.path.join(place, "bin/sonde"))
        environment = dict(os.environ, PATH=os.path.join(place, "bin") + ":" + os.environ["PATH"])
        services = {"sonde-server": server(place, name="data", flags=ADMIN),
                    "prometheus": prometheus(place, name="prometheus-data")}
        s = services["sonde-server"]
        with s, services["prometheus"]:
            for minute, store in enumerate(services.values(), 1):
                sample = [({"__name__": "documented"}, [(int(time.time() * 1000) - minute * 60_000, 1.0)])]
                if remote_write.write(store.address, sample)[0] // 100 != 2:
                    raise Failure(f"{store.name} takes no samples")
            for line in commands():
                print("$", line)
                words = shlex.split(line, comments=True)
                if words[0] == "systemctl":
                    (services[words[2]].start if words[1] == "start" else services[words[2]].stop)()
                    continue
                line = line.replace("http://127.0.0.1:9095", s.url)
                done = subprocess.run(["sh", "-ec", line], cwd=place, env=environment, text=True, timeout=120,
                                      stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
                print(done.stdout, end="")
                if done.returncode != 0:
                    raise Failure(f"{line}: {done.returncode}")
            if s.value("count_over_time(documented[1h])") != 2.0:
                raise Failure("a sample is gone: of the server's own and the imported one")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=6, help="of load")
    drill(parser.parse_args().seconds)
    run_documented()
    return 0


if __name__ == "__main__":
    start(main)
